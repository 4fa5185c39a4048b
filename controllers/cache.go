package controllers

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/names"
)

// Scheme knows the kinds that the operator reads and writes.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("making the scheme: %w", err)
		}
	}
	return scheme, nil
}

// CacheOptions keep the cache to what the operator looks at: its own objects by their label, the custom
// resources, the metadata of Secrets; in the given namespaces, or in all. Kinds that nobody watches are
// an error instead of a new watch.
func CacheOptions(namespaces []string) cache.Options {
	own := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{names.ManagedByLabel: names.ManagedBy})}
	options := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}:          own,
			&appsv1.StatefulSet{}:         own,
			&corev1.Service{}:             own,
			&corev1.ServiceAccount{}:      own,
			&corev1.ConfigMap{}:           own,
			&networkingv1.NetworkPolicy{}: own,
			&rbacv1.ClusterRoleBinding{}:  {Field: fields.OneTermEqualSelector("metadata.name", names.TokenReviewBinding)},
		},
		ReaderFailOnMissingInformer: true,
	}
	if len(namespaces) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options
}
