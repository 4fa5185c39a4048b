package csvdrop

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
)

// surelySettled is how long ago a file must have changed to be taken for complete at first sight, as no
// clock of a file server is that wrong.
const surelySettled = time.Hour

// sighting is what is known of a file since it has the size and the time of change that it has.
type sighting struct {
	size    int64
	changed time.Time
	// since is when it was seen first.
	since time.Time
	// content is its digest once it has been read, by known.
	content digest
	known   bool
	// refused says that the file has been complained of as a whole.
	refused bool
}

// file is one that is complete.
type file struct {
	name string
	*sighting
}

// complete lists the files that are complete, those that changed longest ago first.
func (s *Source) complete(now time.Time) ([]file, error) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, unreadable("the directory", err)
	}
	names := make(map[string]bool, len(entries))
	var files []file
	for _, entry := range entries {
		names[entry.Name()] = true
	}
	for name := range names {
		if match, err := path.Match(s.pattern, name); err != nil || !match || strings.HasPrefix(name, ".") {
			continue
		}
		if s.marker != "" && (!names[name+s.marker] || strings.HasSuffix(name, s.marker)) {
			continue
		}
		seen := s.see(name, now)
		if seen != nil && s.settled(seen, now) {
			files = append(files, file{name, seen})
		}
	}
	for name := range s.seen {
		if !names[name] {
			delete(s.seen, name)
		}
	}
	slices.SortFunc(files, func(a, b file) int {
		return cmp.Or(a.changed.Compare(b.changed), strings.Compare(a.name, b.name))
	})
	return files, nil
}

// see looks at a file; nil is none that can be read.
func (s *Source) see(name string, now time.Time) *sighting {
	info, err := s.root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	seen := s.seen[name]
	if seen == nil || !seen.same(info) {
		seen = &sighting{size: info.Size(), changed: info.ModTime(), since: now}
		s.seen[name] = seen
	}
	return seen
}

func (f *sighting) same(info fs.FileInfo) bool {
	return f.size == info.Size() && f.changed.Equal(info.ModTime())
}

// settled reports whether the file has not changed for long enough. Where a marker says that it is complete
// there is nothing to wait for.
func (s *Source) settled(f *sighting, now time.Time) bool {
	return s.marker != "" || now.Sub(f.since) >= s.settleTime || now.Sub(f.changed) >= max(surelySettled, s.settleTime)
}

// present are the contents of the files in the directory, as far as they are known.
func (s *Source) present() map[digest]bool {
	present := map[digest]bool{}
	for _, f := range s.seen {
		if f.known {
			present[f.content] = true
		}
	}
	return present
}

// errChanged says that a file changed while it was read: it was not complete.
var errChanged = errors.New("changed while it was read")

// load reads a whole file. All that is done with it is done with these bytes, so that it is never read in
// two states.
func (s *Source) load(f file) (content []byte, err error) {
	opened, err := s.root.Open(f.name)
	if err != nil {
		return nil, missing(f.name, err)
	}
	defer func() { _ = opened.Close() }()
	content, err = io.ReadAll(io.LimitReader(opened, f.size+1))
	if err != nil {
		return nil, missing(f.name, err)
	}
	after, err := opened.Stat()
	if err != nil {
		return nil, missing(f.name, err)
	}
	named, err := s.root.Stat(f.name)
	if err != nil {
		return nil, missing(f.name, err)
	}
	if int64(len(content)) != f.size || !f.same(after) || !os.SameFile(after, named) {
		return nil, errChanged
	}
	return content, nil
}

// missing is the error of a file that cannot be read; one that is gone is another one's now.
func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errChanged
	}
	failure := unreadable(shown(name), err)
	return &channel.Error{Reason: failure.Reason, Message: failure.Message}
}
