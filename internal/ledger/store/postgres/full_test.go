package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/test/postgres"
)

// TestAFullDiskIsSaidAndLosesNothing fills a tablespace of a few megabytes, where the machine lets us make a
// file system for it; elsewhere the server itself is made to refuse as it does on a full disk.
func TestAFullDiskIsSaidAndLosesNothing(t *testing.T) {
	t.Parallel()
	own, err := postgres.Start(t.Context(), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the small disk is gone
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	name := database(t, own)
	enough := smallDisk(t, own, name)
	s := open(t, Options{URL: own.URLAs(name, name)})
	n := 0
	put := func() error {
		return s.Update(t.Context(), func(tx store.Tx) error {
			if err := count(t.Context(), tx, string(rune('a'+n%26))+string(rune('a'+n/26%26))+string(rune('a'+n/676))); err != nil {
				return err
			}
			value := make([]byte, 500_000)
			for i := range value {
				value[i] = byte(i * (n + i>>8) >> 3) // what does not compress
			}
			return tx.PutSetting(t.Context(), string(rune('a'+n%26))+string(rune('a'+n/26)), value)
		})
	}
	for ; ; n++ {
		err := put()
		if errors.Is(err, store.ErrFull) {
			break
		}
		if err != nil {
			t.Fatalf("The error is %v; want %v", err, store.ErrFull)
		}
		if n > 300 {
			t.Fatal("The disk was never full")
		}
	}
	if figure, cases, _ := counted(t, s); int(figure) != n || len(cases) != n || n == 0 {
		t.Errorf("The figure is %d and there are %d cases; want %d", figure, len(cases), n)
	}
	if err := put(); !errors.Is(err, store.ErrFull) {
		t.Errorf("A further update gives %v; want %v", err, store.ErrFull)
	}
	enough()
	if err := put(); err != nil {
		t.Errorf("With space again: %v", err)
	}
	if figure, cases, _ := counted(t, s); int(figure) != n+1 || len(cases) != n+1 {
		t.Errorf("The figure is %d and there are %d cases; want %d", figure, len(cases), n+1)
	}
}

// smallDisk gives the database little room; enough gives it more.
func smallDisk(t *testing.T, own *postgres.Server, name string) (enough func()) {
	t.Helper()
	disk := filepath.Join(filepath.Dir(own.DataDir()), "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	var as syscall.Stat_t
	if err := syscall.Stat(own.DataDir(), &as); err != nil {
		t.Fatal(err)
	}
	options := func(size string) string { return fmt.Sprintf("size=%s,mode=0700,uid=%d,gid=%d", size, as.Uid, as.Gid) }
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, options("16m")); err == nil {
		t.Cleanup(func() {
			if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		err := own.Execute(t.Context(), "postgres", "CREATE TABLESPACE small LOCATION '"+disk+"'", "ALTER DATABASE "+name+" SET TABLESPACE small")
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, options("64m")); err != nil {
				t.Error(err)
			}
		}
	}
	_ = open(t, Options{URL: own.URLAs(name, name)}).Close()
	execute := func(statements ...string) {
		if err := own.Execute(t.Context(), name, statements...); err != nil {
			t.Fatal(err)
		}
	}
	execute(`CREATE FUNCTION full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF (SELECT count(*) FROM settings) > 10 THEN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END IF;
		RETURN NEW; END $$`, "CREATE TRIGGER full BEFORE INSERT ON settings FOR EACH ROW EXECUTE FUNCTION full()")
	return func() { execute("DROP TRIGGER full ON settings") }
}

// TestADamagedPageIsSaid overwrites a page under a server that checks them.
func TestADamagedPageIsSaid(t *testing.T) {
	t.Parallel()
	own, err := postgres.Start(t.Context(), postgres.Options{Checksums: true})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	name := database(t, own)
	s := open(t, Options{URL: own.URLAs(name, name)})
	if err := s.Update(t.Context(), func(tx store.Tx) error { return count(t.Context(), tx, "C1") }); err != nil {
		t.Fatal(err)
	}
	c, err := own.Connect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var path string
	err = c.QueryRow(t.Context(), "SELECT pg_relation_filepath('cases')").Scan(&path)
	if err := errors.Join(err, c.Close(t.Context()), own.Shutdown()); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(own.DataDir(), path), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteAt([]byte("this is not what was written"), 5000)
	if err := errors.Join(err, file.Close(), own.Restart(t.Context())); err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(r store.Reader) error {
		_, _, err := r.Page(t.Context(), store.PageQuery{Limit: 10, Scan: 10})
		return err
	})
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("Reading a damaged page gives %v; want %v", err, store.ErrDamaged)
	}
}
