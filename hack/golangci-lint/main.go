// Command golangci-lint is golangci-lint with the Kubernetes API linter compiled in: what
// `golangci-lint custom` makes, without the clone that one takes from the network.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/golangci/golangci-lint/v2/pkg/commands"
	"github.com/golangci/golangci-lint/v2/pkg/exitcodes"
	_ "sigs.k8s.io/kube-api-linter" // registers the linter "kubeapilinter"
)

func main() {
	info := commands.BuildInfo{Version: "unknown", Commit: "?"}
	if build, ok := debug.ReadBuildInfo(); ok {
		info.GoVersion = build.GoVersion
		for _, module := range build.Deps {
			if module.Path == "github.com/golangci/golangci-lint/v2" {
				info.Version = module.Version
			}
		}
	}
	if err := commands.Execute(info); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitcodes.Failure)
	}
}
