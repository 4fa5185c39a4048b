package push

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/channel/channeltest"
)

// TestLargeBodiesThatArriveAtOnceAreBounded has somebody send many large bodies but for their last byte, as anybody can.
func TestLargeBodiesThatArriveAtOnceAreBounded(t *testing.T) {
	const size, begun = 4 << 20, maxArriving / (4 << 20)
	endpoint, ledger := NewEndpoint(size, 1000, time.Now), &channeltest.Ledger{}
	read := func(body io.Reader) (status, length int) {
		request := httptest.NewRequest(http.MethodPost, "/", body)
		request.ContentLength = -1
		recorder := httptest.NewRecorder()
		got, _ := endpoint.Read(recorder, request, ledger)
		return recorder.Code, len(got)
	}
	var pipes []*io.PipeWriter
	var reading sync.WaitGroup
	for range begun {
		from, to := io.Pipe()
		pipes = append(pipes, to)
		reading.Go(func() {
			defer from.Close() // or nobody could write any more, where the body was refused
			if status, length := read(from); status != http.StatusOK || length != size {
				t.Errorf("a body that was begun before is answered with %d, %d bytes of it were read", status, length)
			}
		})
		if _, err := to.Write(make([]byte, size-1)); err != nil { // returns once it was read
			t.Fatal(err)
		}
	}
	// What was written was read, and is counted a moment later.
	for deadline := time.Now().Add(10 * time.Second); endpoint.arriving.Load() != begun*(size-1-maxGrow); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are counted; want %d of each of %d bodies", endpoint.arriving.Load(), size-1-maxGrow, begun)
		}
	}
	large := make([]byte, size)
	if status, length := read(bytes.NewReader(large)); status != http.StatusServiceUnavailable || length != 0 {
		t.Errorf("one more is answered with %d, and %d bytes are held", status, length)
	}
	if status, length := read(bytes.NewReader(large[:maxGrow])); status != http.StatusOK || length != maxGrow {
		t.Errorf("a usual delivery is answered with %d, %d bytes of it were read", status, length)
	}
	for _, pipe := range pipes {
		_, _ = pipe.Write([]byte{0})
		_ = pipe.Close()
	}
	reading.Wait()
	if status, _ := read(bytes.NewReader(large)); status != http.StatusOK {
		t.Errorf("afterwards a large body is answered with %d", status)
	}
	if left := endpoint.arriving.Load(); left != 0 {
		t.Errorf("%d bytes stay counted", left)
	}
}
