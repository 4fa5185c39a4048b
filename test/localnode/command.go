package localnode

import (
	"fmt"
	"os/exec"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
)

// commandLine is what runs in place of a container: the entrypoint that stands for its image, or the
// container's own command, and its arguments.
func commandLine(commands map[string][]string, container *corev1.Container, vars *variables, paths pathTranslator) ([]string, error) {
	entrypoint := commands[container.Image]
	rewrite := func(words []string) []string {
		rewritten := make([]string, len(words))
		for i, word := range words {
			rewritten[i] = paths.translate(expandVariables(word, vars.lookup))
		}
		return rewritten
	}
	arguments := rewrite(container.Args)
	if len(container.Command) == 0 {
		if len(entrypoint) == 0 {
			return nil, fmt.Errorf("no program stands for the image %q on this node", container.Image)
		}
		return append(append([]string{}, entrypoint...), arguments...), nil
	}
	command := rewrite(container.Command)
	// The image's own program is asked for by name or by its path in the image.
	if len(entrypoint) > 0 && filepath.Base(command[0]) == filepath.Base(entrypoint[0]) {
		command[0] = entrypoint[0]
	}
	program, err := exec.LookPath(command[0])
	if err != nil {
		return nil, fmt.Errorf("the container's command: %w", err)
	}
	command[0] = program
	return append(command, arguments...), nil
}
