package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tanggap/tanggap/test/bench/load"
	"github.com/tanggap/tanggap/test/site"
)

// channelName is the channel that everything is delivered to.
const channelName = "dsw"

// limitName is the variant that the others are compared with.
const limitName = "durable limit"

// variant is one way for a delivery to become durable.
type variant struct {
	name, url string
	// calm is where deliveries of another channel go; "" where there is none.
	calm       string
	deliveries *load.Deliveries
	// processes are those whose CPU time is a delivery's, by name.
	processes map[string]int
	// database is the first process of a database's server; 0 is none.
	database int
	// acknowledged is how many deliveries were answered with success.
	acknowledged int64
	// stored is how many are there; nil where nobody can be asked.
	stored func(context.Context) (int64, error)
	// profiles are the addresses of net/http/pprof, by process.
	profiles map[string]string
	close    func() error
}

func (v *variant) stop() error { return v.close() }

// check fails when something was acknowledged that is not there.
func (v *variant) check(ctx context.Context) error {
	if v.stored == nil {
		return nil
	}
	stored, err := v.stored(ctx)
	if err != nil {
		return err
	}
	if stored != v.acknowledged {
		return fmt.Errorf("%d deliveries were acknowledged, and %d are stored", v.acknowledged, stored)
	}
	return nil
}

// variantNames are all, the durable limit aside.
func variantNames() []string { return []string{"embedded", "postgres", "benthos"} }

// start starts the durable limit and the variants that are asked for. Those that were started are
// returned even with an error.
func start(ctx context.Context, o options) (variants []*variant, err error) {
	starters := map[string]func(context.Context, options) (*variant, error){
		limitName: startLimit, "embedded": startEmbedded, "postgres": startPostgres, "benthos": startBenthos,
	}
	for _, name := range append([]string{limitName}, o.variants...) {
		starter := starters[name]
		if starter == nil {
			return variants, fmt.Errorf("-variants: %q must be one of %s", name, strings.Join(variantNames(), ", "))
		}
		builds := map[string]options{name: o}
		if o.before != "" && (name == "embedded" || name == "postgres") {
			other := o
			other.Tanggap, other.Dir = o.before, filepath.Join(o.Dir, "before")
			builds[name+"-before"] = other
		}
		for _, name := range slices.Sorted(maps.Keys(builds)) {
			v, err := starter(ctx, builds[name])
			if err != nil {
				return variants, fmt.Errorf("starting %s: %w", name, err)
			}
			v.name = name
			v.deliveries = load.NewDeliveries(fmt.Sprintf("%d-", time.Now().Unix()), site.SignatureHeader, secret())
			variants = append(variants, v)
		}
	}
	return variants, nil
}

func secret() string { return strings.TrimSpace(site.Secrets()["hook/signing-secret"]) }

func startLimit(ctx context.Context, o options) (*variant, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), self, "limit", "-file", filepath.Join(o.Dir, "limit"), "-secret", secret())
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, errors.Join(err, command.Wait())
	}
	return &variant{
		url: "http://" + strings.TrimSpace(address) + "/", processes: map[string]int{"server": command.Process.Pid},
		close: func() error {
			_ = command.Process.Signal(syscall.SIGTERM) // it may have ended
			return command.Wait()
		},
	}, nil
}

func startEmbedded(ctx context.Context, o options) (*variant, error) {
	return startSite(ctx, o, "embedded", nil)
}

// startDatabase starts a PostgreSQL server that has files for its log of writes (WAL), as one that has run for an hour
// has them. A new server makes each file of 16 MiB when it needs it, and who commits meanwhile waits: two to four times a
// transaction's time, every second, until the log has come to its bound for the first time.
func startDatabase(ctx context.Context, dir string) (*site.Database, error) {
	const files = 192 // 3 GiB, more than a run writes
	settings := site.DatabaseSettings()
	settings["min_wal_size"] = strconv.Itoa(files*16) + "MB" // what a checkpoint keeps for further use
	d, err := site.StartDatabase(ctx, dir, settings)
	if err != nil {
		return nil, err
	}
	// A file is left for the next one only where something stands in it.
	fill := slices.Repeat([]string{"SELECT pg_logical_emit_message(false, 'log', 'filled'), pg_switch_wal()"}, files)
	if err := d.Execute(ctx, "postgres", append(fill, "CHECKPOINT")...); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// startPostgres starts a PostgreSQL server, and a ledger that reaches it as in a cluster: over TLS.
func startPostgres(ctx context.Context, o options) (*variant, error) {
	d, err := startDatabase(ctx, filepath.Join(o.Dir, "database"))
	if err != nil {
		return nil, err
	}
	name, err := d.NewDatabase(ctx)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	flags, err := d.Flags(name, d.Address())
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	v, err := startSite(ctx, o, "postgres", flags)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	v.database = d.PID()
	closeSite := v.close
	v.close = func() error { return errors.Join(closeSite(), d.Close()) }
	return v, nil
}

// startSite starts a ledger on the storage that the flags name, and a worker.
func startSite(ctx context.Context, o options, name string, storage []string) (*variant, error) {
	dir := filepath.Join(o.Dir, name)
	s, err := site.New(site.Options{
		Tanggap: o.Tanggap, Dir: dir, Storage: storage, Policy: site.Policy(channelName, calmChannel),
		Channels: site.Channels(channelName, calmChannel), Secrets: site.Secrets(), Profile: o.profile != "",
	})
	if err != nil {
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	v := &variant{
		url:       s.Hook(channelName),
		calm:      s.Hook(calmChannel),
		processes: map[string]int{"worker": s.Worker.PID(), "ledger": s.Ledger.PID()},
		stored:    func(ctx context.Context) (int64, error) { return s.Received(ctx, channelName) },
		close:     s.Close,
	}
	if o.profile != "" {
		v.profiles = map[string]string{"worker": s.Worker.Address("pprof"), "ledger": s.Ledger.Address("pprof")}
	}
	return v, nil
}

// profile writes a CPU profile of each process of the variant, taken over the duration, into a folder.
func (v *variant) profile(ctx context.Context, folder string, d time.Duration) (wait func() error) {
	errs := make(chan error, len(v.profiles))
	for name, address := range v.profiles {
		go func() {
			url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, max(1, int(d.Seconds())))
			errs <- download(ctx, url, filepath.Join(folder, v.name+"-"+name+".pprof"))
		}()
	}
	return func() error {
		var all []error
		for range v.profiles {
			all = append(all, <-errs)
		}
		return errors.Join(all...)
	}
}

func download(ctx context.Context, url, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := new(http.Client).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return os.WriteFile(path, content, 0o600)
}

// cpu is what the processes of the variant, and this program, have used.
func (v *variant) cpu() (used map[string]time.Duration, err error) {
	used = map[string]time.Duration{}
	all := map[string]int{"load client": os.Getpid()}
	maps.Copy(all, v.processes)
	for name, pid := range all {
		u, err := site.UsageOf(pid)
		if err != nil {
			return nil, err
		}
		used[name] = u.CPU()
	}
	if v.database != 0 {
		if used["PostgreSQL"], err = site.TreeCPU(v.database); err != nil {
			return nil, err
		}
	}
	return used, nil
}

// order gives every variant its place in turn: who comes first in a round comes last in the next.
func order(variants []*variant, round int) []*variant {
	turned := slices.Clone(variants)
	if round%2 == 1 {
		slices.Reverse(turned)
	}
	return turned
}
