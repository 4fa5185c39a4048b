package site

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Build builds the program under test into a folder and returns its path. Whoever calls it is within the module.
func Build(ctx context.Context, folder string) (string, error) {
	path := filepath.Join(folder, "tanggap")
	command := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", path, "github.com/tanggap/tanggap/cmd/tanggap")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, output)
	}
	return path, nil
}
