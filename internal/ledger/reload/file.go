// Package reload reads files that are replaced while the program runs, as mounted Secrets,
// certificates and service-account tokens are.
package reload

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// checkEvery is how long a file is taken as unchanged without asking the file system.
const checkEvery = time.Second

// File is the content of a file, read again when the file has changed. It is safe for concurrent use.
type File struct {
	path string
	now  func() time.Time

	mu      sync.Mutex
	checked time.Time
	info    fs.FileInfo
	content []byte
	version int
}

// NewFile is the file at path; nothing is read yet. now is the clock, time.Now outside of tests.
func NewFile(path string, now func() time.Time) *File {
	return &File{path: path, now: now}
}

// Read returns the content and a version that grows when the content changes. Once the file has been
// read, a file that is away for a moment, as while it is being replaced, still has its last content;
// the error is for a file that never could be read. The content must not be changed.
func (f *File) Read() (content []byte, version int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if f.version > 0 && now.Sub(f.checked) < checkEvery && !now.Before(f.checked) {
		return f.content, f.version, nil
	}
	f.checked = now
	if err := f.refresh(); err != nil && f.version == 0 {
		return nil, 0, err
	}
	return f.content, f.version, nil
}

func (f *File) refresh() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("reading a file: %w", err)
	}
	if f.info != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return nil
	}
	content, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("reading a file: %w", err)
	}
	f.info = info
	if f.version == 0 || !bytes.Equal(content, f.content) {
		f.content = content
		f.version++
	}
	return nil
}
