// Package apply writes objects by server-side apply, and only when they are not yet what they should
// be: a reconcile that finds everything in place sends nothing to the API server.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/controllers/internal/names"
)

// Owner is the field owner of everything that the operator writes.
const Owner = client.FieldOwner("tanggap-operator")

// HashAnnotation holds a digest of what was applied last. Comparing the fields of an object finds
// what somebody else changed; the digest finds what the operator itself no longer sets.
const HashAnnotation = "tanggap.dev/applied-hash"

// Configuration is a generated apply configuration of a kind with metadata.
type Configuration[T any] interface {
	runtime.ApplyConfiguration
	WithAnnotations(map[string]string) T
	GetName() *string
	GetNamespace() *string
}

// Object makes an object what desired says. known is an empty object of the kind, which receives the
// object as the cache knows it; after a write it is older than the object. live reads from the API server.
//
// An object that the cache does not know is looked for before it is made: the caches hold only what carries
// the operator's label, and an object of that name which somebody else made is a conflict and is never taken
// over. By itself server-side apply would add to it whatever nobody has set, an owner included, with which it would go.
func Object[T Configuration[T]](ctx context.Context, c client.Client, live client.Reader, desired T, known client.Object) error {
	content, err := json.Marshal(desired)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", *desired.GetName(), err)
	}
	sum := sha256.Sum256(content)
	hash := hex.EncodeToString(sum[:16])
	options := []client.ApplyOption{Owner}
	name := *desired.GetName()
	switch err := c.Get(ctx, keyOf(desired), known); {
	case err == nil:
		if known.GetAnnotations()[HashAnnotation] == hash {
			same, err := holds(content, known)
			if err != nil || same {
				return err
			}
		}
		options = append(options, client.ForceOwnership)
	case apierrors.IsNotFound(err):
		if err := free(ctx, c, live, keyOf(desired), known); err != nil {
			return fmt.Errorf("applying %s: %w", name, err)
		}
	default:
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if err := c.Apply(ctx, desired.WithAnnotations(map[string]string{HashAnnotation: hash}), options...); err != nil {
		return fmt.Errorf("applying %s: %w", name, err)
	}
	return nil
}

// free is an error if an object of the kind of known has that name and is not the operator's.
func free(ctx context.Context, c client.Client, live client.Reader, key client.ObjectKey, known client.Object) error {
	there := known.DeepCopyObject().(client.Object)
	if err := live.Get(ctx, key, there); err != nil {
		return client.IgnoreNotFound(err)
	}
	if Own(there) {
		return nil // the cache has not heard of it yet, or somebody took its label away
	}
	kind, err := c.GroupVersionKindFor(there)
	if err != nil {
		return fmt.Errorf("naming the kind: %w", err)
	}
	return Taken(kind.GroupKind(), key.Name)
}

// Own reports whether an object is the operator's: it has the operator's label, or, as the API server alone tells, the
// operator has applied it. Somebody may take the label away.
func Own(object client.Object) bool {
	applied := func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == string(Owner) && f.Operation == metav1.ManagedFieldsOperationApply
	}
	return object.GetLabels()[names.ManagedByLabel] == names.ManagedBy || slices.ContainsFunc(object.GetManagedFields(), applied)
}

// Taken is the error, a conflict, of a name that somebody else's object has.
func Taken(kind schema.GroupKind, name string) error {
	return apierrors.NewConflict(schema.GroupResource{Group: kind.Group, Resource: kind.Kind}, name,
		errors.New("it conflicts with an object of this name that is not the operator's"))
}

func keyOf(desired interface {
	GetName() *string
	GetNamespace() *string
},
) client.ObjectKey {
	key := client.ObjectKey{Name: *desired.GetName()}
	if namespace := desired.GetNamespace(); namespace != nil {
		key.Namespace = *namespace
	}
	return key
}

// holds says whether every field of an apply configuration's JSON has that value in the object.
func holds(content []byte, live client.Object) (bool, error) {
	var want, have map[string]any
	if err := json.Unmarshal(content, &want); err != nil {
		return false, fmt.Errorf("decoding a configuration: %w", err)
	}
	found, err := json.Marshal(live)
	if err != nil {
		return false, fmt.Errorf("encoding a cached object: %w", err)
	}
	if err := json.Unmarshal(found, &have); err != nil {
		return false, fmt.Errorf("decoding a cached object: %w", err)
	}
	// The kind is that of the request; objects from a cache may lack it.
	delete(want, "apiVersion")
	delete(want, "kind")
	return contains(have, want, ""), nil
}
