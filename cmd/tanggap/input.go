package main

import (
	"context"
	"io"
)

// untilDone is in until ctx ends, which nobody notices who waits for a terminal or a pipe. It reads ahead, so that it
// is for whoever reads in to its end.
func untilDone(ctx context.Context, in io.Reader) io.Reader {
	out, pipe := io.Pipe()
	context.AfterFunc(ctx, func() { pipe.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(pipe, in)
		pipe.CloseWithError(err)
	}()
	return out
}
