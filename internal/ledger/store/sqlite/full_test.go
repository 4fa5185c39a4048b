package sqlite

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// quota is a file system with a bounded number of bytes, which tests make and lift.
type quota struct {
	vfs.VFSFilename
	mu   sync.Mutex
	left int64 // negative is unbounded
}

func (q *quota) set(bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.left = bytes
}

func (q *quota) spend(n int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left < 0 {
		return true
	}
	if q.left < n {
		return false
	}
	q.left -= n
	return true
}

func (q *quota) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := q.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &quotaFile{file.(sharedFile), q}, flags, nil
}

// sharedFile is what the operating system's files are.
type sharedFile interface {
	vfs.File
	vfs.FileSharedMemory
}

type quotaFile struct {
	sharedFile
	quota *quota
}

// WriteAt writes only within what is left; what lies within the file costs nothing, as on a disk.
func (f *quotaFile) WriteAt(p []byte, at int64) (int, error) {
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	if grows := at + int64(len(p)) - size; grows > 0 && !f.quota.spend(grows) {
		return 0, vfs.SystemError(syscall.ENOSPC, sqlite3.FULL)
	}
	return f.sharedFile.WriteAt(p, at)
}

func TestAFullDiskIsSaidAndLosesNothing(t *testing.T) {
	q := &quota{VFSFilename: vfs.Find("").(vfs.VFSFilename), left: -1}
	vfs.Register("quota", q)
	defer vfs.Unregister("quota")
	s, err := Open(t.TempDir(), Options{VFS: "quota"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	put := func() error {
		return s.Update(t.Context(), func(tx store.Tx) error {
			return tx.PutSetting(t.Context(), fmt.Sprint(n), make([]byte, 10_000))
		})
	}
	for q.set(1 << 20); ; n++ {
		err := put()
		if errors.Is(err, store.ErrFull) {
			break
		}
		if err != nil {
			t.Fatalf("The error is %v; want %v", err, store.ErrFull)
		}
		if n > 1000 {
			t.Fatal("The disk was never full")
		}
	}
	count := func() (there int) {
		err := s.View(t.Context(), func(r store.Reader) error {
			for i := range n + 1 {
				value, err := r.Setting(t.Context(), fmt.Sprint(i))
				if err != nil {
					return err
				}
				if value != nil {
					there++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("Reading from a full disk: %v", err)
		}
		return there
	}
	if got := count(); got != n || n == 0 {
		t.Errorf("%d of %d settings are there", got, n)
	}
	if err := put(); !errors.Is(err, store.ErrFull) {
		t.Errorf("A further update gives %v; want %v", err, store.ErrFull)
	}
	q.set(-1)
	if err := put(); err != nil {
		t.Errorf("With space again: %v", err)
	}
	if got := count(); got != n+1 {
		t.Errorf("%d of %d settings are there", got, n+1)
	}
}
