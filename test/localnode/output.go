package localnode

import (
	"bytes"
	"fmt"
	"os"
	"sync"
)

// longestLine bounds what is held back for a line that does not end.
const longestLine = 64 << 10

// outputWriter appends a container's output to its log file and hands it line by line to a sink.
type outputWriter struct {
	file *os.File
	sink func(line []byte) // nil: file only

	mu      sync.Mutex
	partial []byte
}

func openOutput(path string, sink func(line []byte)) (*outputWriter, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a container's log: %w", err)
	}
	return &outputWriter{file: file, sink: sink}, nil
}

// Write implements io.Writer.
func (w *outputWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sink != nil {
		w.partial = append(w.partial, p...)
		w.emitLines()
	}
	return w.file.Write(p)
}

func (w *outputWriter) emitLines() {
	for {
		end := bytes.IndexByte(w.partial, '\n')
		switch {
		case end >= 0:
			w.sink(bytes.Clone(w.partial[:end]))
			w.partial = w.partial[end+1:]
		case len(w.partial) > longestLine:
			w.sink(bytes.Clone(w.partial))
			w.partial = nil
		default:
			return
		}
	}
}

// close hands over what is left of a last line without an end.
func (w *outputWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sink != nil && len(w.partial) > 0 {
		w.sink(bytes.Clone(w.partial))
		w.partial = nil
	}
	_ = w.file.Close() // every write was already reported
}
