package site

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds the program under test, as it is shipped, into a folder and returns its path; beside it go the programs
// of further packages. Whoever calls it is within the module.
func Build(ctx context.Context, folder string, further ...string) (string, error) {
	arguments := []string{"build", "-buildvcs=false", "-o", folder + string(filepath.Separator), "github.com/tanggap/tanggap/cmd/tanggap"}
	command := exec.CommandContext(ctx, "go", append(arguments, further...)...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, output)
	}
	return filepath.Join(folder, "tanggap"), nil
}
