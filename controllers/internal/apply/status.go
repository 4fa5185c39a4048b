package apply

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrStale says that a status was decided on from an object that has been written to since, by this operator
// itself as a rule: the cache lags behind its own writes.
var ErrStale = errors.New("the object has been written to since it was read")

// StaleRetry is when a pass that came to ErrStale is made again; no watch tells that the cache has caught up.
const StaleRetry = 50 * time.Millisecond

// Status writes a status that was decided on from the object of the configuration's resourceVersion, or gives
// ErrStale: a transition that is decided on twice would be told twice, and its instant would move.
//
// A status has no other owner. A field of it that somebody else wrote, such as a restored backup, is taken over.
func Status(ctx context.Context, c client.Client, configuration runtime.ApplyConfiguration) error {
	err := c.Status().Apply(ctx, configuration, Owner, client.ForceOwnership)
	if apierrors.IsConflict(err) {
		return ErrStale
	}
	return err
}
