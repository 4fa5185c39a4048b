package reload

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/tlstest"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) pass() { c.at = c.at.Add(2 * checkEvery) }

func TestFileFollowsChanges(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	f := NewFile(filepath.Join(dir, "f"), c.now)
	if _, _, err := f.Read(); err == nil {
		t.Error("A file that is not there was read")
	}
	want := func(when, content string, version int) {
		t.Helper()
		got, v, err := f.Read()
		if err != nil || string(got) != content || v != version {
			t.Errorf("%s it is %q, version %d, error %v; want %q, version %d", when, got, v, err, content, version)
		}
	}
	tlstest.Write(t, dir, "f", []byte("one"))
	want("At first", "one", 1)
	tlstest.Write(t, dir, "f", []byte("two"))
	want("Within a second", "one", 1)
	c.pass()
	want("Later", "two", 2)
	tlstest.Write(t, dir, "f", []byte("two"))
	c.pass()
	want("Replaced by the same", "two", 2)
	if err := os.Remove(filepath.Join(dir, "f")); err != nil {
		t.Fatal(err)
	}
	c.pass()
	want("Away", "two", 2)
	tlstest.Write(t, dir, "f", []byte("three"))
	c.at = c.at.Add(-time.Hour)
	want("With the clock set back", "three", 3)
}

func TestFileFollowsTheLinksOfAMountedSecret(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	for _, version := range []string{"1", "2"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		tlstest.Write(t, filepath.Join(dir, version), "key", []byte("value "+version))
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name+".new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("1", "..data")
	link("..data/key", "key")
	f := NewFile(filepath.Join(dir, "key"), c.now)
	if got, _, err := f.Read(); err != nil || string(got) != "value 1" {
		t.Fatalf("The file is %q, error %v", got, err)
	}
	link("2", "..data")
	c.pass()
	if got, _, err := f.Read(); err != nil || string(got) != "value 2" {
		t.Errorf("After the switch the file is %q, error %v", got, err)
	}
}

func TestCertificateStaysWhileJustHalfOfItIsNew(t *testing.T) {
	dir, c, ca := t.TempDir(), &clock{time.Now()}, tlstest.New(t)
	certFile, keyFile := ca.Issue(t, dir, "server")
	pair, err := NewCertificate(certFile, keyFile, c.now)
	if err != nil {
		t.Fatal(err)
	}
	first, err := pair.Get()
	if err != nil {
		t.Fatal(err)
	}
	nextCert, nextKey := ca.Issue(t, t.TempDir(), "server")
	replace := func(from, to string) {
		t.Helper()
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		tlstest.Write(t, dir, filepath.Base(to), content)
		c.pass()
	}
	replace(nextCert, certFile)
	if got, err := pair.Get(); err != nil || got != first {
		t.Errorf("With half a pair it is another, error %v", err)
	}
	replace(nextKey, keyFile)
	got, err := pair.Get()
	if err != nil || bytes.Equal(got.Certificate[0], first.Certificate[0]) {
		t.Errorf("With the whole pair it is the old one, error %v", err)
	}
}

func TestPoolStaysWhenItsFileHoldsNothing(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	file := tlstest.Write(t, dir, "ca", tlstest.New(t).PEM)
	pool, err := NewPool(file, c.now)
	if err != nil {
		t.Fatal(err)
	}
	first, version, _ := pool.Get()
	tlstest.Write(t, dir, "ca", []byte("nothing"))
	c.pass()
	if got, v, err := pool.Get(); err != nil || got != first || v != version {
		t.Errorf("With an empty file the pool is another, version %d, error %v", v, err)
	}
	tlstest.Write(t, dir, "ca", tlstest.New(t).PEM)
	c.pass()
	if got, v, err := pool.Get(); err != nil || got == first || v == version {
		t.Errorf("With a new file the pool is the old one, version %d, error %v", v, err)
	}
}
