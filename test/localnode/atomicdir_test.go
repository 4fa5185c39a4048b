package localnode

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func files(content ...string) payload {
	p := payload{}
	for i := 0; i < len(content); i += 2 {
		p[content[i]] = projectedFile{data: []byte(content[i+1]), mode: 0o640}
	}
	return p
}

func mustWrite(t *testing.T, dir *atomicDir, content payload) bool {
	t.Helper()
	changed, err := dir.write(content)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", filepath.Base(path), got, err, want)
	}
}

func TestAtomicDirFollowsItsContent(t *testing.T) {
	dir := &atomicDir{path: filepath.Join(t.TempDir(), "volume")}
	mustWrite(t, dir, files("a", "1", "deep/b", "1", "gone", "1"))
	wantFile(t, filepath.Join(dir.path, "a"), "1")
	wantFile(t, filepath.Join(dir.path, "deep", "b"), "1")
	if info, err := os.Stat(filepath.Join(dir.path, "a")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
	if mustWrite(t, dir, files("a", "1", "deep/b", "1", "gone", "1")) {
		t.Error("the same content was written again")
	}
	if !mustWrite(t, dir, files("a", "2", "deep/c", "2")) {
		t.Error("a change was not noticed")
	}
	wantFile(t, filepath.Join(dir.path, "a"), "2")
	wantFile(t, filepath.Join(dir.path, "deep", "c"), "2")
	for _, gone := range []string{"gone", "deep/b"} {
		if _, err := os.Stat(filepath.Join(dir.path, gone)); err == nil {
			t.Errorf("%s is still there", gone)
		}
	}
	// A later node finds the folder as it is and goes on.
	mustWrite(t, &atomicDir{path: dir.path}, files())
	entries, err := os.ReadDir(dir.path)
	if err != nil || len(entries) != 2 { // ..data and what it links to
		t.Errorf("an empty volume holds %v (%v)", entries, err)
	}
}

func TestAtomicDirStaysInside(t *testing.T) {
	parent := t.TempDir()
	dir := &atomicDir{path: filepath.Join(parent, "volume")}
	if _, err := dir.write(files("../escaped", "x")); err == nil {
		t.Error("a file outside the volume was written")
	}
	if _, err := os.Stat(filepath.Join(parent, "escaped")); err == nil {
		t.Error("a file outside the volume is there")
	}
}

// TestAtomicDirShowsNoMixture reads a pair of files through one look at ..data, as whoever loads a
// certificate and its key does, while both change.
func TestAtomicDirShowsNoMixture(t *testing.T) {
	dir := &atomicDir{path: filepath.Join(t.TempDir(), "volume")}
	mustWrite(t, dir, files("crt", "0", "key", "0"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			version := strings.Repeat("x", i+1)
			if _, err := dir.write(files("crt", version, "key", version)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	pairs := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		generation, err := filepath.EvalSymlinks(filepath.Join(dir.path, dataLink))
		if err != nil {
			continue
		}
		crt, errCrt := os.ReadFile(filepath.Join(generation, "crt"))
		key, errKey := os.ReadFile(filepath.Join(generation, "key"))
		if errCrt != nil || errKey != nil {
			continue // this generation has just been replaced
		}
		if pairs++; string(crt) != string(key) {
			t.Fatalf("read %d bytes of one version and %d of another", len(crt), len(key))
		}
	}
	if pairs == 0 {
		t.Error("nothing was read")
	}
}
