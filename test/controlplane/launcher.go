package controlplane

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// launchers are the programs that envtest starts in place of the real ones.
type launchers struct{ etcd, apiServer string }

// writeLaunchers makes etcd and kube-apiserver end with the process that started them, however it
// ends: envtest leaves them running when a test binary is killed or times out. setpriv (util-linux)
// sets the parent-death signal and then becomes the program itself. Where it is missing the programs
// are started directly.
func writeLaunchers(dir, assets string) (launchers, error) {
	direct := launchers{etcd: filepath.Join(assets, "etcd"), apiServer: filepath.Join(assets, "kube-apiserver")}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		return direct, nil
	}
	wrapped := launchers{etcd: filepath.Join(dir, "etcd.sh"), apiServer: filepath.Join(dir, "kube-apiserver.sh")}
	for script, program := range map[string]string{wrapped.etcd: direct.etcd, wrapped.apiServer: direct.apiServer} {
		content := fmt.Sprintf("#!/bin/sh\nexec %s --pdeathsig KILL -- %s \"$@\"\n", quote(setpriv), quote(program))
		if err := os.WriteFile(script, []byte(content), 0o700); err != nil {
			return launchers{}, fmt.Errorf("writing the launcher of %s: %w", filepath.Base(program), err)
		}
	}
	return wrapped, nil
}

// quote makes a word of the shell of any path.
func quote(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
