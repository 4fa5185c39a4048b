package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// runExport fetches an export from time to time and puts it into a directory when it has changed, each under
// a name of its own that it gets when it is complete; the demo runs it as a Pod.
func runExport(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	from := flags.String("from", "", "URL of the export")
	to := flags.String("to", "", "directory")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	client := &http.Client{Timeout: 10 * time.Second}
	var last []byte
	for {
		content, err := fetchExport(ctx, client, *from)
		if err == nil && !bytes.Equal(content, last) {
			if err = putExport(*to, content); err == nil {
				last = content
			}
		}
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "export:", err) // the system may not be there yet
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(3 * time.Second):
		}
	}
}

func fetchExport(ctx context.Context, client *http.Client, from string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %d", response.StatusCode)
	}
	return io.ReadAll(response.Body)
}

func putExport(directory string, content []byte) error {
	name := fmt.Sprintf("lapor-%d.csv", time.Now().UnixNano())
	temporary := filepath.Join(directory, "."+name+".part")
	if err := os.WriteFile(temporary, content, 0o640); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(directory, name))
}
