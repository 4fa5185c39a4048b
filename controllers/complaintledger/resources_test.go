package complaintledger

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/test/golden"
)

func TestObjects(t *testing.T) {
	meta := metav1.ObjectMeta{Namespace: "depok", Name: "ledger", UID: "uid-ledger", Generation: 1}
	plain := &v1alpha1.ComplaintLedger{ObjectMeta: meta, Spec: v1alpha1.ComplaintLedgerSpec{
		Storage: v1alpha1.LedgerStorage{Type: v1alpha1.StorageEmbedded},
	}}
	sized := plain.DeepCopy()
	sized.Spec.Storage.Embedded = &v1alpha1.EmbeddedStorage{Size: new(resource.MustParse("50Gi")), StorageClassName: new("fast")}
	sized.Spec.Resources = &v1alpha1.Resources{
		Requests: map[string]resource.Quantity{"cpu": resource.MustParse("1"), "memory": resource.MustParse("4Gi")},
		Limits:   map[string]resource.Quantity{"memory": resource.MustParse("8Gi")},
	}
	golden.YAML(t, "ledger", buildServiceAccount(plain), buildService(plain), buildNetworkPolicy(plain, "tanggap-system"),
		buildTrust(plain, []byte("certificates\n")), buildAuthority(plain, map[string][]byte{"tls.crt": []byte("certificates")}),
		buildServing(plain, []byte("certificate"), []byte("key")), buildPolicy(plain, []byte("packed")),
		buildStatefulSet(plain, "example.org/tanggap:v1", "keyed-digest"))
	golden.YAML(t, "ledger-sized", buildStatefulSet(sized, "example.org/tanggap:v1", "keyed-digest"))
	database := plain.DeepCopy()
	database.Spec.Storage = v1alpha1.LedgerStorage{Type: v1alpha1.StoragePostgres, Postgres: &v1alpha1.PostgresStorage{
		URLSecretRef:      v1alpha1.SecretKeyReference{Name: "ledger-database", Key: "url"},
		PasswordSecretRef: &v1alpha1.SecretKeyReference{Name: "ledger-database", Key: "password"},
		CASecretRef:       &v1alpha1.SecretKeyReference{Name: "database-ca", Key: "ca.crt"},
		Replicas:          new(int32(3)),
	}}
	golden.YAML(t, "ledger-postgres", buildDeployment(database, "example.org/tanggap:v1", "keyed-digest"), buildDisruptionBudget(database))
	golden.YAML(t, "binding", buildTokenReviewBinding([]types.NamespacedName{{Namespace: "bogor", Name: "ledger"}, {Namespace: "depok", Name: "ledger"}}))
}
