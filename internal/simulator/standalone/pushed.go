package standalone

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/callcentre"
	"github.com/tanggap/tanggap/internal/simulator/meta"
	"github.com/tanggap/tanggap/internal/simulator/sms"
	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
)

// Secrets that deliveries are signed with; the manifests have the same. They sign nothing but simulations.
const (
	whatsAppSecret   = "simulated-app-secret-of-whatsapp"
	whatsAppToken    = "simulated-verify-token-of-whatsapp"
	whatsAppNumberID = "106540352242922"
	smsSID           = "AC00000000000000000000000000000000"
	smsToken         = "simulated-auth-token-of-twilio"
	smsNumber        = "+620000000000"
	hookSecret       = "whsec_c2ltdWxhdGVkLXNpZ25pbmctc2VjcmV0LW9mLWhvb2tz"
)

func newWhatsApp(s Setup) *System {
	sender := &whatsapp.Sender{
		URL: s.DeliverTo, AppSecret: whatsAppSecret, VerifyToken: whatsAppToken, PhoneNumberID: whatsAppNumberID, PhoneNumber: "620000000000", Client: s.Client,
	}
	return &System{
		Begin: sender.Subscribe,
		Complain: func(ctx context.Context, words string) (string, error) {
			person := fmt.Sprintf("62000%08d", s.Serial())
			return person, sender.Write(ctx, whatsapp.Message{Person: person, At: s.Now(), Text: words})
		},
		Answer: func(ctx context.Context, id, words string) error {
			return sender.Answer(ctx, whatsapp.Message{Person: id, At: s.Now(), Text: words})
		},
	}
}

func newSMS(s Setup) *System {
	twilio := &sms.Twilio{AccountSID: smsSID, AuthToken: smsToken, Number: smsNumber, URL: s.DeliverTo, Client: s.Client}
	return &System{
		Handler: twilio,
		Complain: func(ctx context.Context, words string) (string, error) {
			person := fmt.Sprintf("+62000%08d", s.Serial())
			return person, twilio.Write(ctx, sms.Message{Person: person, At: s.Now(), Text: words})
		},
		Answer: func(ctx context.Context, id, words string) error {
			return twilio.Answer(ctx, sms.Message{Person: id, At: s.Now(), Text: words})
		},
	}
}

// The deputy mayor's Page; the manifest has the same.
const (
	metaSecret = "simulated-app-secret-of-meta"
	metaVerify = "simulated-verify-token-of-meta"
	metaToken  = "simulated-access-token-of-meta"
	metaPage   = "102000000000001"
)

func newMeta(s Setup) *System {
	server := meta.New(meta.Options{AppID: "1517776481860000", AppSecret: metaSecret, Token: metaToken, PageID: metaPage, Now: s.Now})
	sender := meta.NewSender(s.DeliverTo, metaSecret, metaVerify, s.Client)
	return &System{
		Handler: server,
		Begin:   sender.Handshake,
		Complain: func(ctx context.Context, words string) (string, error) {
			post, delivery := server.Post(fmt.Sprint(2_400_000_000_000_000+s.Serial()), words)
			return post, sender.Send(ctx, delivery)
		},
		Answer: func(ctx context.Context, id, words string) error {
			_, delivery := server.Comment(metaPage, id, "", words)
			return sender.Send(ctx, delivery)
		},
	}
}

// newWebhook is a call centre that does not know of Tanggap: the manifest of its channel maps what it says.
func newWebhook(s Setup) *System { return newCallCentre(s) }

func newCallCentre(s Setup) *System {
	sender := &callcentre.Sender{URL: s.DeliverTo, Secret: hookSecret, Client: s.Client}
	return incidents(s, sender.Send)
}

func newExports(s Setup) *System {
	exports := &callcentre.Exports{Directory: s.Directory}
	return incidents(s, func(_ context.Context, _ string, i callcentre.Incident) error { return exports.Write(s.Now(), i) })
}

// incidents are those of a call centre, each state of which is told.
func incidents(s Setup, tell func(ctx context.Context, event string, i callcentre.Incident) error) *System {
	var mu sync.Mutex
	known := map[string]*callcentre.Incident{}
	change := func(ctx context.Context, id, event string, set func(*callcentre.Incident, *time.Time)) error {
		mu.Lock()
		i, ok := known[id]
		if !ok {
			mu.Unlock()
			return errUnknown
		}
		now := s.Now()
		set(i, &now)
		state := *i
		mu.Unlock()
		return tell(ctx, event, state)
	}
	return &System{
		Complain: func(ctx context.Context, words string) (string, error) {
			n := s.Serial()
			i := &callcentre.Incident{
				ID: fmt.Sprintf("112-2026-%06d", n), CallType: callcentre.CallNormal, Description: words, ReceivedAt: s.Now(),
				Caller: &callcentre.Caller{Phone: phone(n)}, Location: &callcentre.Location{Latitude: -6.39, Longitude: 106.83},
			}
			if n%5 == 0 {
				i.CallType = callcentre.CallPrank // no complaint
			}
			mu.Lock()
			known[i.ID] = i
			state := *i
			mu.Unlock()
			return i.ID, tell(ctx, callcentre.Created, state)
		},
		Answer: func(ctx context.Context, id, words string) error {
			return change(ctx, id, callcentre.Updated, func(i *callcentre.Incident, now *time.Time) {
				if i.VerifiedAt == nil {
					i.VerifiedAt, i.DispatchedAt = now, now
				}
				i.DisposedAt, i.Disposition = now, words
			})
		},
		Close: func(ctx context.Context, id string) error {
			return change(ctx, id, callcentre.Closed, func(i *callcentre.Incident, now *time.Time) { i.ClosedAt = now })
		},
	}
}
