package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// defaultSocket is where the operator lets a ledger listen for who is in its pod.
const defaultSocket = "/var/run/tanggap/admin/ledger.sock"

const erasePoll = time.Second

// eraseFlags are the flags of `tanggap ledger erase`.
type eraseFlags struct {
	storage            storageFlags
	file, socket, keys string
}

// newLedgerEraseCommand is `tanggap ledger erase`.
func newLedgerEraseCommand() *cobra.Command {
	var f eraseFlags
	command := &cobra.Command{
		Use:   "erase",
		Short: "Erase the personal data of one reporter",
		Long: "Erase what one reporter wrote until now, where it was and by whom, and the pseudonyms that link it, from all cases on all\n" +
			"channels; what arrives later and was said before is erased when it arrives. Instants, clocks and counts stay. Every\n" +
			"identity that is known of the person stands on a line of its own, and never in an argument:\n\n" +
			"  phone 0812-3456-789\n  email warga@example.org\n  handle CHANNEL 2244994945\n\n" +
			"It asks the ledger that runs in the same pod, by its socket; or works on a storage itself.",
		Example: "  kubectl exec -i sts/ledger-ledger -- /tanggap ledger erase < person.txt",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			in, err := readReporters(command.Context(), command.InOrStdin(), f.file)
			if err != nil {
				return err
			}
			erase := func() (ledgerapi.ErasureStatus, error) { return eraseBySocket(command.Context(), f.socket, in) }
			if f.storage.given() {
				erase = func() (ledgerapi.ErasureStatus, error) { return eraseInStorage(command, &f, in) }
			}
			status, err := erase()
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "erasure %s: took personal data from %d events of %d cases, until %s\n",
				status.ID, status.Events, status.Cases, status.At.Format(time.RFC3339))
			if n := status.MissingKeys; n > 0 {
				return fmt.Errorf("the erasure is incomplete: there are reporters under keys of pseudonyms that are missing (%d): "+
					"put each back on a line of its own below the first, and erase again", n)
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.file, "file", "-", "file with the identities; - is the standard input")
	flags.StringVar(&f.socket, "socket", defaultSocket, "socket of the ledger that runs in the same pod")
	flags.StringVar(&f.keys, "pseudonym-key", "", "file with the key of the pseudonyms; goes with a storage")
	f.storage.define(command)
	for _, storage := range []string{flagData, flagPostgresURLFile} {
		command.MarkFlagsMutuallyExclusive("socket", storage)
	}
	return command
}

// readReporters reads identities, one a line. Its errors name lines, and nothing that stands there.
func readReporters(ctx context.Context, stdin io.Reader, file string) (in ledgerapi.ErasureRequest, err error) {
	if file == "-" {
		stdin = untilDone(ctx, stdin)
	} else {
		opened, err := os.Open(file)
		if err != nil {
			return in, fmt.Errorf("opening the identities: %w", err)
		}
		defer opened.Close()
		stdin = opened
	}
	lines := bufio.NewScanner(stdin)
	// What stands before where the input broke off is no line.
	for number := 1; lines.Scan() && lines.Err() == nil; number++ {
		kind, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		value = strings.TrimSpace(value)
		var r ledgerapi.ErasureReporter
		switch kind {
		case "":
			continue
		case "phone":
			r.Phone = value
		case "email":
			r.Email = value
		case "handle":
			r.Channel, r.Handle, _ = strings.Cut(value, " ")
			r.Handle = strings.TrimSpace(r.Handle)
		}
		if r.Phone == "" && r.Email == "" && r.Handle == "" {
			return in, fmt.Errorf("line %d must be one of: phone NUMBER, email ADDRESS, handle CHANNEL HANDLE", number)
		}
		in.Reporters = append(in.Reporters, r)
	}
	if err := lines.Err(); err != nil {
		return in, fmt.Errorf("reading the identities: %w", err)
	}
	if len(in.Reporters) == 0 {
		return in, errors.New("no identity was given: one a line is needed, such as: phone 0812-3456-789")
	}
	return in, nil
}

// eraseInStorage erases in a storage that no ledger needs to run on.
func eraseInStorage(command *cobra.Command, f *eraseFlags, in ledgerapi.ErasureRequest) (status ledgerapi.ErasureStatus, err error) {
	if f.keys == "" {
		return status, errors.New("--pseudonym-key is needed with a storage: without the key nobody is found")
	}
	options := ledger.Options{Now: time.Now, Log: slog.New(slog.NewTextHandler(command.ErrOrStderr(), nil))}
	if options.Pseudonyms, err = ledger.ReadPseudonymKeys(f.keys); err != nil {
		return status, err
	}
	if options.Store, err = f.storage.write(command.Context(), options.Log); err != nil {
		return status, err
	}
	defer func() { err = errors.Join(err, options.Store.Close()) }()
	l, err := ledger.Open(command.Context(), options)
	if err != nil {
		return status, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(command.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Run(running)
	}()
	defer func() { stop(); <-ended }()
	if status, err = l.Erase(command.Context(), in); err != nil {
		return status, err
	}
	if err := l.Sweep(command.Context()); err != nil {
		return status, err
	}
	return l.Erasure(command.Context(), status.ID)
}

// eraseBySocket asks the ledger that runs in the same pod, and waits until it has looked at every case.
func eraseBySocket(ctx context.Context, socket string, in ledgerapi.ErasureRequest) (status ledgerapi.ErasureStatus, err error) {
	dialer := net.Dialer{}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	body, err := json.Marshal(in)
	if err != nil {
		return status, fmt.Errorf("encoding the request: %w", err)
	}
	if err := ask(ctx, client, http.MethodPost, "/v1/erasures", body, &status); err != nil {
		return status, err
	}
	for !status.Done {
		select {
		case <-ctx.Done():
			return status, fmt.Errorf("erasure %s goes on in the ledger: %w", status.ID, ctx.Err())
		case <-time.After(erasePoll):
		}
		if err := ask(ctx, client, http.MethodGet, "/v1/erasures/"+status.ID, nil, &status); err != nil {
			return status, fmt.Errorf("erasure %s goes on in the ledger: %w", status.ID, err)
		}
	}
	return status, nil
}

func ask(ctx context.Context, client *http.Client, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://ledger"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the ledger: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var refusal ledgerapi.Error
		if err := json.NewDecoder(response.Body).Decode(&refusal); err != nil {
			return fmt.Errorf("the ledger answered with status %d", response.StatusCode)
		}
		return fmt.Errorf("the ledger refused: %s", refusal.Message)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the ledger's answer: %w", err)
	}
	return nil
}
