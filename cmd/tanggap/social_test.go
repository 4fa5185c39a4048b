package main

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/simulator/meta"
	"github.com/tanggap/tanggap/internal/simulator/telegram"
	"github.com/tanggap/tanggap/internal/simulator/x"
	"github.com/tanggap/tanggap/internal/worker"
)

// socialMedia are simulated platforms that deliver, by the names of their hosts.
type socialMedia struct {
	meta     *meta.Server
	x        *x.Server
	telegram *telegram.Server
}

// ServeHTTP implements http.Handler.
func (s *socialMedia) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	map[string]http.Handler{"graph.facebook.com": s.meta, "api.x.com": s.x, "api.telegram.org": s.telegram}[r.URL.Host].ServeHTTP(w, r)
}

// TestCheckSaysWhetherPlatformsDeliver has `tanggap worker --check` ask platforms that deliver, and that do not.
func TestCheckSaysWhetherPlatformsDeliver(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC) }
	s := &socialMedia{
		meta: meta.New(meta.Options{
			AppID: "15", AppSecret: "app-secret", Token: "access", PageID: "102000", InstagramID: "178414", Now: now,
		}),
		x:        x.New(x.Options{Token: "t0ken", Now: now}),
		telegram: telegram.New(telegram.Options{Token: "123456:s3cr3t", Now: now}),
	}
	ref := func(key string) v1alpha1.SecretKeyReference { return v1alpha1.SecretKeyReference{Name: "s", Key: key} }
	values := map[string]string{
		"app": "app-secret", "verify": "v", "access": "access", "bearer": "t0ken", "consumer": "c", "bot": "123456:s3cr3t", "secret": "shown",
	}
	config := worker.Config{Channels: []worker.ChannelConfig{
		{Name: "facebook", Source: v1alpha1.ChannelSource{Type: v1alpha1.SourceMeta, Meta: &v1alpha1.MetaSource{
			AppID: "15", PageID: "102000", InstagramAccountID: "178414", AppSecretSecretRefs: []v1alpha1.SecretKeyReference{ref("app")},
			VerifyTokenSecretRef: ref("verify"), AccessTokenSecretRef: ref("access"), Reconcile: &v1alpha1.MetaReconcile{RequestsPerMinute: new(int32(6000))},
		}}},
		{Name: "deputy-mayor-x", Source: v1alpha1.ChannelSource{Type: v1alpha1.SourceX, X: &v1alpha1.XSource{
			UserID: "42", BearerTokenSecretRef: ref("bearer"), Polling: &v1alpha1.Polling{RequestsPerMinute: new(int32(6000))},
			Webhook: &v1alpha1.XWebhook{ConsumerSecretSecretRefs: []v1alpha1.SecretKeyReference{ref("consumer")}},
		}}},
		{Name: "bot", Source: v1alpha1.ChannelSource{Type: v1alpha1.SourceTelegram, Telegram: &v1alpha1.TelegramSource{
			BotTokenSecretRef: ref("bot"), Webhook: &v1alpha1.TelegramWebhook{SecretTokenSecretRefs: []v1alpha1.SecretKeyReference{ref("secret")}},
		}}},
	}}
	types, err := sourceTypes()
	if err != nil {
		t.Fatal(err)
	}
	check := func(want ...string) {
		t.Helper()
		var out strings.Builder
		_, err := worker.Check(t.Context(), config, worker.Options{
			Types:      types,
			Credential: func(ref v1alpha1.SecretKeyReference) ([]byte, error) { return []byte(values[ref.Key]), nil },
			Transport:  channeltest.Direct{Handler: s}, Now: now, After: time.After, Random: func() float64 { return 0 },
			Logger: slog.New(slog.DiscardHandler),
		}, &out)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(out.String()), "\n")); diff != "" {
			t.Errorf("check (-want +got):\n%s", diff)
		}
	}

	s.x.Subscribe("42", true, "post.create", "post.mention.create", "post.reply.create")
	s.telegram.SetWebhook("https://hooks.depok.example/hooks/bot", "shown")
	s.x.Add(x.Post{Author: "5501", Text: "banjir", Mentions: []string{"42"}})
	check(
		"facebook (meta): answers and has nothing to read. It waits for deliveries at /hooks/facebook.",
		"deputy-mayor-x (x): answers; its first batch has 1 events of 1 complaints, the latest of 2026-11-02T03:00:00Z. It waits for deliveries at /hooks/deputy-mayor-x.",
		"bot (telegram): answers and has nothing to read. It waits for deliveries at /hooks/bot.",
	)

	s.meta.Subscribe()
	s.x.Subscribe("42", false, "post.create", "post.mention.create", "post.reply.create")
	s.telegram.DeleteWebhook()
	check(
		"facebook (meta): NotSubscribed: the app is not subscribed to 102000, so that Meta delivers nothing; Meta ends the subscription of an app whose deliveries fail for an hour: "+
			"subscribe it again by POST /102000/subscribed_apps. It waits for deliveries at /hooks/facebook.",
		"deputy-mayor-x (x): answers, but NotSubscribed: X counts the webhook 1976325569252868099 as invalid, as its address did not answer or not rightly, and delivers nothing; "+
			"have it checked again by PUT /2/webhooks/1976325569252868099. It waits for deliveries at /hooks/deputy-mayor-x.",
		"bot (telegram): NotSubscribed: the bot has no webhook, so that Telegram delivers nothing; set it by setWebhook with url and secret_token, or take webhook out of the channel. "+
			"It waits for deliveries at /hooks/bot.",
	)

	values["access"], values["bearer"] = "expired", "unknown"
	s.telegram.Fail(401, 0)
	check(
		"facebook (meta): Unauthorized: the access token has ended or was taken back (error 190); make a new one. It waits for deliveries at /hooks/facebook.",
		"deputy-mayor-x (x): Unauthorized: X does not know the bearer token (401); make a new one in the developer console. It waits for deliveries at /hooks/deputy-mayor-x.",
		"bot (telegram): Unauthorized: Telegram does not know the bot's token (401); get a new one of BotFather, or check url. It waits for deliveries at /hooks/bot.",
	)
}
