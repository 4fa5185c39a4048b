package localnode

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// projectedFile is one file of a volume made from API objects.
type projectedFile struct {
	data []byte
	mode fs.FileMode
}

// payload is the content of such a volume, by path relative to it.
type payload map[string]projectedFile

func (p payload) equal(other payload) bool {
	return maps.EqualFunc(p, other, func(a, b projectedFile) bool { return a.mode == b.mode && bytes.Equal(a.data, b.data) })
}

// dataLink is the link that makes a change atomic; its name is the one that the kubelet uses.
const dataLink = "..data"

// atomicDir is a folder whose content changes all at once, laid out as the kubelet does it: the files
// lie in a hidden folder, ..data links to that folder, and each visible name links through ..data.
// A reader sees the old files or the new ones, never some of each, and whoever watches ..data as in a
// cluster is told.
type atomicDir struct {
	path    string
	written payload // nil: nothing yet
}

// write makes the folder hold exactly the payload and says whether that was a change.
func (d *atomicDir) write(content payload) (bool, error) {
	if d.written != nil && d.written.equal(content) {
		return false, nil
	}
	if err := os.MkdirAll(d.path, 0o755); err != nil {
		return false, fmt.Errorf("making a volume's folder: %w", err)
	}
	generation, err := d.writeGeneration(content)
	if err != nil {
		return false, err
	}
	previous, err := os.Readlink(filepath.Join(d.path, dataLink))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("reading a volume's link: %w", err)
	}
	if err := replaceLink(filepath.Join(d.path, dataLink), generation); err != nil {
		return false, err
	}
	if err := d.linkNames(content); err != nil {
		return false, err
	}
	if previous != "" && previous != generation {
		if err := os.RemoveAll(filepath.Join(d.path, previous)); err != nil {
			return false, fmt.Errorf("removing a volume's old content: %w", err)
		}
	}
	d.written = maps.Clone(content)
	if d.written == nil {
		d.written = payload{}
	}
	return true, nil
}

// writeGeneration writes the files into a new hidden folder and returns its name.
func (d *atomicDir) writeGeneration(content payload) (string, error) {
	folder, err := os.MkdirTemp(d.path, "..generation-")
	if err != nil {
		return "", fmt.Errorf("making a volume's content: %w", err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		return "", fmt.Errorf("making a volume's content: %w", err)
	}
	for path, file := range content {
		if !filepath.IsLocal(path) {
			return "", fmt.Errorf("a volume's file %q lies outside the volume", path)
		}
		target := filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return "", fmt.Errorf("making a volume's content: %w", err)
		}
		if err := os.WriteFile(target, file.data, 0o600); err != nil {
			return "", fmt.Errorf("writing a volume's file: %w", err)
		}
		if err := os.Chmod(target, file.mode.Perm()); err != nil {
			return "", fmt.Errorf("writing a volume's file: %w", err)
		}
	}
	return filepath.Base(folder), nil
}

// linkNames makes the visible names and removes those that are no longer there.
func (d *atomicDir) linkNames(content payload) error {
	wanted := map[string]bool{}
	for path := range content {
		name, _, _ := strings.Cut(filepath.ToSlash(path), "/")
		wanted[name] = true
	}
	for name := range wanted {
		link, target := filepath.Join(d.path, name), filepath.Join(dataLink, name)
		if existing, err := os.Readlink(link); err == nil && existing == target {
			continue
		}
		if err := replaceLink(link, target); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("reading a volume's folder: %w", err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") || wanted[entry.Name()] || entry.Type()&fs.ModeSymlink == 0 {
			continue
		}
		if err := os.Remove(filepath.Join(d.path, entry.Name())); err != nil {
			return fmt.Errorf("removing a volume's file: %w", err)
		}
	}
	return nil
}

func replaceLink(link, target string) error {
	temporary := filepath.Join(filepath.Dir(link), "..new-"+filepath.Base(link))
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("linking a volume's file: %w", err)
	}
	if err := os.Symlink(target, temporary); err != nil {
		return fmt.Errorf("linking a volume's file: %w", err)
	}
	if err := os.Rename(temporary, link); err != nil {
		return fmt.Errorf("linking a volume's file: %w", err)
	}
	return nil
}
