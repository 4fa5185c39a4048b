package secrets

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

func key(name, key string) v1alpha1.SecretKeyReference {
	return v1alpha1.SecretKeyReference{Name: name, Key: key}
}

func TestReferencesAreFoundWhereverTheyStand(t *testing.T) {
	source := v1alpha1.ChannelSource{
		REST: &v1alpha1.RESTSource{
			Auth: &v1alpha1.HTTPAuth{OAuth2: &v1alpha1.OAuth2Auth{
				ClientIDSecretRef: key("portal", "id"), ClientSecretSecretRef: key("portal", "secret"),
			}},
			CASecretRef: new(key("ca", "ca.crt")),
		},
		Webhook: &v1alpha1.WebhookSource{Verification: v1alpha1.WebhookVerification{HMAC: &v1alpha1.HMACVerification{
			SecretRefs: []v1alpha1.SecretKeyReference{key("hook", "new"), key("hook", "old")},
		}}},
		Open311: &v1alpha1.Open311Source{APIKeySecretRef: new(key("open311", "key"))},
	}
	var got []string
	for _, reference := range References("spec.source", source) {
		got = append(got, fmt.Sprintf("%s = %s/%s", reference.Path, reference.Name, reference.Key))
	}
	want := []string{
		"spec.source.rest.auth.oauth2.clientIDSecretRef = portal/id",
		"spec.source.rest.auth.oauth2.clientSecretSecretRef = portal/secret",
		"spec.source.rest.caSecretRef = ca/ca.crt",
		"spec.source.webhook.verification.hmac.secretRefs[0] = hook/new",
		"spec.source.webhook.verification.hmac.secretRefs[1] = hook/old",
		"spec.source.open311.apiKeySecretRef = open311/key",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"portal", "ca", "hook", "open311"}, Names(References("", source))); diff != "" {
		t.Errorf("names: %s", diff)
	}
}

func secret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{}}
	for key, value := range data {
		s.Data[key] = []byte(value)
	}
	return s
}

func TestDigestsTellNothingOfAValue(t *testing.T) {
	one := Digest([]byte("key one"), secret("a", map[string]string{"token": "hunter2", "other": "hunter2", "empty": ""}))
	two := Digest([]byte("key two"), secret("a", map[string]string{"token": "hunter2"}))
	elsewhere := Digest([]byte("key one"), secret("b", map[string]string{"token": "hunter2"}))
	if _, there := one["empty"]; there {
		t.Error("an empty value has a digest")
	}
	seen := map[string]bool{}
	for _, digest := range []string{one["token"], one["other"], two["token"], elsewhere["token"]} {
		if digest == "" || seen[digest] || strings.Contains(digest, "hunter2") {
			t.Errorf("the digest %q shows that values are equal, or the value", digest)
		}
		seen[digest] = true
	}
	again := Digest([]byte("key one"), secret("a", map[string]string{"token": "hunter2"}))
	if again["token"] != one["token"] {
		t.Error("the same value has another digest")
	}
	unkeyed := Digest(nil, secret("a", map[string]string{"token": "hunter2", "empty": ""}))
	if diff := cmp.Diff(Digests{"token": ""}, unkeyed); diff != "" {
		t.Errorf("without a key: %s", diff)
	}
}

func TestCombine(t *testing.T) {
	if Combine([]string{"a", "b"}) != Combine([]string{"b", "a", "b"}) {
		t.Error("the order or a repetition makes a difference")
	}
	if Combine([]string{"a", "b"}) == Combine([]string{"a", "c"}) || Combine(nil) == Combine([]string{"a"}) {
		t.Error("another value makes no difference")
	}
}
