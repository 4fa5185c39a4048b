// Package secrets reads Secrets without keeping them: the operator's cache has their metadata only,
// values are read from the API server when a Secret has changed, and what is kept of them is what the
// caller derives.
package secrets

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/controllers/internal/names"
)

// Reader derives something from Secrets and remembers it as long as the Secret does not change. It is
// safe for concurrent use.
type Reader[T any] struct {
	metadata, live client.Reader

	mu      sync.Mutex
	derived map[request]derived[T]
}

type request struct {
	secret  types.NamespacedName
	variant string
}

type derived[T any] struct {
	uid     types.UID
	version string
	value   T
}

// NewReader reads metadata from one reader, the operator's cache, and values from the other, the API
// server itself.
func NewReader[T any](metadata, live client.Reader) *Reader[T] {
	return &Reader[T]{metadata: metadata, live: live, derived: map[request]derived[T]{}}
}

// Get is what derive makes of the Secret; a variant tells apart what different functions make of it.
// The error of a Secret that does not exist is the API's NotFound.
func (r *Reader[T]) Get(ctx context.Context, key types.NamespacedName, variant string, derive func(*corev1.Secret) (T, error)) (T, error) {
	var none T
	at := request{secret: key, variant: variant}
	metadata := Metadata()
	if err := r.metadata.Get(ctx, key, metadata); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(at)
		}
		return none, err
	}
	if known, ok := r.lookup(at); ok && known.uid == metadata.UID && known.version == metadata.ResourceVersion {
		return known.value, nil
	}
	var secret corev1.Secret
	if err := r.live.Get(ctx, key, &secret); err != nil {
		return none, err
	}
	value, err := derive(&secret)
	if err != nil {
		return none, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.derived[at] = derived[T]{uid: secret.UID, version: secret.ResourceVersion, value: value}
	return value, nil
}

func (r *Reader[T]) lookup(at request) (derived[T], bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.derived[at]
	return known, ok
}

func (r *Reader[T]) forget(at request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.derived, at)
}

// Metadata is an empty object for the metadata of a Secret.
func Metadata() *metav1.PartialObjectMetadata {
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return metadata
}

// IsOwn says that a Secret is one of the operator's own, by its metadata: the keys of a ledger's authority, of its
// server and of its pseudonyms.
func IsOwn(metadata *metav1.PartialObjectMetadata) bool {
	return metadata.Labels[names.ManagedByLabel] == names.ManagedBy && metadata.Labels[names.ComponentLabel] == names.ComponentLedger
}

// RefuseOwn is a sentence where a reference names one of the operator's own Secrets; "" where it does not, or to
// none. Whoever may write a specification decides where the values go that it names, and would read these keys.
func RefuseOwn(ctx context.Context, reader client.Reader, namespace string, reference Reference) (string, error) {
	metadata := Metadata()
	err := reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: reference.Name}, metadata)
	// The key of the pseudonyms may be a person's, as one that was restored without its labels.
	if err != nil || !IsOwn(metadata) && !names.IsLedgerPseudonym(reference.Name) {
		return "", client.IgnoreNotFound(err)
	}
	return fmt.Sprintf("%s: the Secret %q holds keys of a ledger, which are not to be given away", reference.Path, reference.Name), nil
}
