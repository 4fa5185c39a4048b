package complaintchannel

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/test/golden"
)

const image = "example.org/tanggap:v1"

// polled is a channel that reads a portal with two keys of one Secret and one of another.
func polled() *v1alpha1.ComplaintChannel {
	return &v1alpha1.ComplaintChannel{
		ObjectMeta: metav1.ObjectMeta{Namespace: "depok", Name: "dsw", UID: "uid-dsw", Generation: 3},
		Spec: v1alpha1.ComplaintChannelSpec{
			AssumeTimeZone: "Asia/Jakarta",
			Source: v1alpha1.ChannelSource{Type: v1alpha1.SourceREST, REST: &v1alpha1.RESTSource{
				URL: "https://dsw.example/complaints",
				Auth: &v1alpha1.HTTPAuth{Type: v1alpha1.HTTPAuthBasic, Basic: &v1alpha1.BasicAuth{
					UsernameSecretRef: v1alpha1.SecretKeyReference{Name: "dsw", Key: "username"},
					PasswordSecretRef: v1alpha1.SecretKeyReference{Name: "dsw", Key: "password"},
				}},
				CASecretRef: &v1alpha1.SecretKeyReference{Name: "city-ca", Key: "ca.crt"},
				Mapping: v1alpha1.EventMapping{CaseID: "item.id", Events: []v1alpha1.EventRule{
					{Kind: "Received", At: "item.created"},
				}},
			}},
		},
	}
}

// pushed is a channel that a call centre delivers to.
func pushed() *v1alpha1.ComplaintChannel {
	return &v1alpha1.ComplaintChannel{
		ObjectMeta: metav1.ObjectMeta{Namespace: "depok", Name: "emergency-112", UID: "uid-112", Generation: 1},
		Spec: v1alpha1.ComplaintChannelSpec{
			LedgerRef: &v1alpha1.LocalReference{Name: "archive"},
			Source: v1alpha1.ChannelSource{Type: v1alpha1.SourceWebhook, Webhook: &v1alpha1.WebhookSource{
				Verification: v1alpha1.WebhookVerification{Type: v1alpha1.VerificationBearer, Bearer: &v1alpha1.BearerVerification{
					TokenSecretRefs: []v1alpha1.SecretKeyReference{{Name: "emergency", Key: "token"}, {Name: "emergency", Key: "token-old"}},
				}},
				Mapping: v1alpha1.EventMapping{CaseID: "item.id", Events: []v1alpha1.EventRule{
					{Kind: "Received", At: "item.time"},
				}},
			}},
			Worker: &v1alpha1.WorkerSpec{Resources: &v1alpha1.Resources{
				Limits: map[string]resource.Quantity{"memory": resource.MustParse("64Mi")},
			}},
		},
	}
}

// bot is a channel of a bot on Telegram, with or without a webhook.
func bot(webhook bool) *v1alpha1.ComplaintChannel {
	c := pushed()
	c.Spec.Source = v1alpha1.ChannelSource{Type: v1alpha1.SourceTelegram, Telegram: &v1alpha1.TelegramSource{
		BotTokenSecretRef: v1alpha1.SecretKeyReference{Name: "bot", Key: "token"},
	}}
	if webhook {
		c.Spec.Source.Telegram.Webhook = &v1alpha1.TelegramWebhook{SecretTokenSecretRefs: []v1alpha1.SecretKeyReference{{Name: "bot", Key: "secret"}}}
	}
	return c
}

// dropped is a channel whose call centre exports files, with a quarantine on the same volume.
func dropped() *v1alpha1.ComplaintChannel {
	channel := pushed()
	channel.Spec.Worker = nil
	channel.Spec.Source = v1alpha1.ChannelSource{Type: v1alpha1.SourceEmergency112, Emergency112: &v1alpha1.Emergency112Source{
		Arrival: v1alpha1.Emergency112Arrival{Type: v1alpha1.ArrivalCSV, CSV: &v1alpha1.Emergency112CSV{Files: v1alpha1.CSVFiles{
			Volume:     v1alpha1.ClaimDirectory{ClaimName: "cad-exports", SubPath: "outgoing"},
			Quarantine: &v1alpha1.ClaimDirectory{ClaimName: "cad-exports", SubPath: "rejected"},
		}}},
	}}
	return channel
}

// apart has its quarantine on a volume of its own.
func apart() *v1alpha1.ComplaintChannel {
	channel := dropped()
	channel.Spec.Source.CSVFiles().Quarantine = &v1alpha1.ClaimDirectory{ClaimName: "quarantine"}
	return channel
}

func TestObjects(t *testing.T) {
	suspended := pushed()
	suspended.Spec.Suspend = true
	unverified := pushed()
	unverified.Spec.Source.Webhook.Verification = v1alpha1.WebhookVerification{Type: v1alpha1.VerificationNone}
	several := pushed()
	several.Spec.Worker.Replicas = new(int32(3))
	for name, channel := range map[string]*v1alpha1.ComplaintChannel{
		"polled": polled(), "pushed": pushed(), "pushed-suspended": suspended, "pushed-unverified": unverified, "pushed-three-replicas": several, "delivered-or-polled": bot(true),
		"dropped": dropped(), "dropped-apart": apart(),
	} {
		t.Run(name, func(t *testing.T) {
			w := workerOf(channel, image)
			w.CredentialsHash = "keyed-digest"
			config, err := w.config()
			if err != nil {
				t.Fatal(err)
			}
			objects := []any{buildServiceAccount(w), buildConfigMap(w, config), buildNetworkPolicy(w), buildDeployment(w, config)}
			if w.hasPush() {
				objects = append(objects, buildService(w))
			}
			golden.YAML(t, name, objects...)
		})
	}
}

func TestAWorkerOfSeveralChannels(t *testing.T) {
	first, second := pushed(), polled()
	w := workerOf(first, image)
	w.Name, w.Instance = "pool-default", "default"
	w.Channels = []*v1alpha1.ComplaintChannel{first, second}
	w.Owners = append(w.Owners, owner(second).WithController(false))
	w.CredentialsHash = "keyed-digest"
	config, err := w.config()
	if err != nil {
		t.Fatal(err)
	}
	// One that polls is enough for the pool not to run twice at once; one that is delivered to is enough
	// for a Service.
	golden.YAML(t, "pool", buildConfigMap(w, config), buildNetworkPolicy(w), buildDeployment(w, config), buildService(w))
}

func TestReplicas(t *testing.T) {
	with := func(channel *v1alpha1.ComplaintChannel, replicas *int32, suspend bool) *v1alpha1.ComplaintChannel {
		channel.Spec.Worker, channel.Spec.Suspend = &v1alpha1.WorkerSpec{Replicas: replicas}, suspend
		return channel
	}
	for sentence, c := range map[string]struct {
		channel *v1alpha1.ComplaintChannel
		want    *int32
	}{
		"a polled source has one reader":                       {polled(), new(int32(1))},
		"a polled source can be stopped by its replicas":       {with(polled(), new(int32(0)), false), new(int32(0))},
		"a pushed source leaves the number to an autoscaler":   {pushed(), nil},
		"a pushed source has as many replicas as it asks for":  {with(pushed(), new(int32(3)), false), new(int32(3))},
		"a bot with a webhook leaves it to an autoscaler":      {bot(true), nil},
		"a bot without one has one reader":                     {bot(false), new(int32(1))},
		"a suspended source has none, whatever else is asked":  {with(pushed(), new(int32(3)), true), new(int32(0))},
		"a suspended source of an autoscaler has none as well": {with(pushed(), nil, true), new(int32(0))},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := replicas(c.channel)
			if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
