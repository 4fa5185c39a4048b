package localnode

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
)

var errNotRunning = errors.New("the container does not run")

// launch is everything that one start of a container needs.
type launch struct {
	argv   []string
	env    []string
	dir    string
	probes probeSet
}

// prepareLaunch resolves a container's command, environment, paths and probes as they are now. The
// Pod's volumes are already there.
func (r *podRunner) prepareLaunch(spec *corev1.Container) (launch, error) {
	facts := r.facts()
	vars, err := containerVariables(r.node.objects, facts, spec)
	if err != nil {
		return launch{}, err
	}
	mounts, err := r.containerMounts(spec)
	if err != nil {
		return launch{}, err
	}
	paths := newPathTranslator(mounts)
	argv, err := commandLine(r.node.options.Commands, spec, vars, paths)
	if err != nil {
		return launch{}, err
	}
	probes, err := newProbeSet(spec, r.ip)
	if err != nil {
		return launch{}, err
	}
	dir := filepath.Join(r.dir, "containers", spec.Name)
	temporary := filepath.Join(dir, "tmp")
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return launch{}, fmt.Errorf("making a container's folder: %w", err)
	}
	if translated := paths.translate("/tmp"); translated != "/tmp" {
		temporary = translated
	}
	env := append(r.baseEnvironment(dir, temporary), vars.list(paths.translate)...)
	if spec.WorkingDir != "" {
		dir = paths.translate(spec.WorkingDir)
	}
	return launch{argv: argv, env: env, dir: dir, probes: probes}, nil
}

// containerMounts asks the Pod's volumes, which one goroutine alone may touch.
func (r *podRunner) containerMounts(spec *corev1.Container) ([]mount, error) {
	r.volumesMu.Lock()
	defer r.volumesMu.Unlock()
	return r.volumes.mounts(spec)
}

// baseEnvironment is what every container gets beside its own variables, which come later and win.
// Home is not the home of whoever runs the node: what lies there (a kubeconfig) is not the Pod's.
func (r *podRunner) baseEnvironment(home, temporary string) []string {
	proxy := r.node.ProxyURL().String()
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"TMPDIR=" + temporary,
		"HOSTNAME=" + r.key.Name,
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		env = append(env, name+"="+proxy)
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		env = append(env, name+"=127.0.0.1,localhost,127.0.0.0/8")
	}
	if isTrue(r.volumes.apiAccess) {
		env = append(env, "KUBECONFIG="+filepath.Join(r.volumes.folder(accessVolume), accessConfigFile))
	}
	return append(env, r.node.options.Env...)
}
