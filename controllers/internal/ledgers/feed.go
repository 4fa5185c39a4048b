package ledgers

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Feed wakes the reconcilers of one kind. Waking never blocks, and a key that waits already waits once.
type Feed struct {
	mu     sync.Mutex
	queues []workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// Source is for a controller's WatchesRawSource.
func (f *Feed) Source() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.queues = append(f.queues, queue)
		return nil
	})
}

// Wake has the objects reconciled.
func (f *Feed) Wake(keys ...types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, queue := range f.queues {
		for _, key := range keys {
			queue.Add(reconcile.Request{NamespacedName: key})
		}
	}
}
