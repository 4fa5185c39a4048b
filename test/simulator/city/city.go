// Package city is a simulated city: a portal, an app, an Open311 endpoint, an account on X and a 112 call
// centre with complaints of the past weeks, some answered in time, some too late and some never, and with
// new ones arriving while it runs. It keeps the truth of what it did, for the demo and the tests to compare with.
package city

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/callcentre"
	"github.com/tanggap/tanggap/internal/simulator/open311"
	"github.com/tanggap/tanggap/internal/simulator/portal"
	"github.com/tanggap/tanggap/internal/simulator/sms"
	"github.com/tanggap/tanggap/internal/simulator/telegram"
	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
	"github.com/tanggap/tanggap/internal/simulator/x"
)

// Credentials of the simulated systems; config/samples/depok/secrets.yaml has the same.
const (
	DSWKey        = "demo-key-of-depok-single-window"
	SigapUsername = "tanggap"
	SigapPassword = "demo-password-of-sigap"
	Open311Key    = "demo-key-of-open311"
	XToken        = "demo-token-of-x"
	// WhatsAppSecret signs, WhatsAppToken is shown in the handshake.
	WhatsAppSecret = "demo-app-secret-of-whatsapp"
	WhatsAppToken  = "demo-verify-token-of-whatsapp"
	HookSecret     = "whsec_dGFuZ2dhcC1kZW1vLXNpZ25pbmctc2VjcmV0LTExMg=="
	DeskSecret     = "whsec_dGFuZ2dhcC1kZW1vLXNpZ25pbmctc2VjcmV0LWRlc2s="
	TelegramToken  = "123456:demo-token-of-telegram"
	TwilioSID      = "AC00000000000000000000000000000000"
	TwilioToken    = "demo-auth-token-of-twilio"
	MetaSecret     = "demo-app-secret-of-meta"
	MetaVerify     = "demo-verify-token-of-meta"
	MetaToken      = "demo-access-token-of-meta"
)

// Names of the channels.
const (
	DSW           = "dsw"
	Sigap         = "sigap"
	Open311       = "open311"
	Emergency     = "emergency-112"
	MayorWhatsApp = "mayor-whatsapp"
	DeputyX       = "deputy-mayor-x"
	HelpDesk      = "help-desk"
	Lapor         = "lapor"
	Telegram      = "telegram"
	SMS           = "sms"
	DeputyMeta    = "deputy-mayor-meta"
	Mail          = "mail"
)

// Figures are what is true of one channel at an instant.
type Figures struct {
	Received   int `json:"received"`
	Answered   int `json:"answered"`
	Unanswered int `json:"unanswered"`
	Overdue    int `json:"overdue"`
}

// record is what is true of one complaint.
type record struct {
	channel string
	// answered says that an official answered; closed that it needs no answer any more.
	answered, closed bool
	// overdue says that a promise of the past is broken and goes on being so; dues are promises that
	// break at an instant unless they are kept before, by name.
	overdue bool
	dues    map[string]time.Time
}

func (r *record) isOverdue(now time.Time) bool {
	for _, due := range r.dues {
		if now.After(due) {
			return true
		}
	}
	return r.overdue
}

// City is the simulated systems and the truth about them.
type City struct {
	DSW, Sigap *portal.Portal
	Open311    *open311.Server
	X          *x.Server
	Sender     *callcentre.Sender
	// WhatsApp, Desk, SMS and Meta deliver once they have a URL.
	WhatsApp *whatsapp.Sender
	Desk     *callcentre.Sender
	SMS      *sms.Twilio
	Meta     *Page
	Telegram *telegram.Server

	mail *mailbox // nil without one
	now  func() time.Time

	mu      sync.Mutex
	clock   time.Time // what the systems take for now while history is written; zero is now
	records map[string]*record
	quiet   bool
	serial  int
	exports []*export
	// mailBegun says that the desk receives mail.
	mailBegun bool
	alone     []string // numbers of people whose complaint to a portal nobody answered
}

// New makes a city with its history. hook is where the call centre delivers to, client what carries the
// deliveries.
func New(now func() time.Time, hook string, client *http.Client) *City {
	c := &City{
		Sender:  &callcentre.Sender{URL: hook, Secret: HookSecret, Client: client},
		now:     now,
		records: map[string]*record{},
	}
	c.DSW = portal.New(portal.Options{Prefix: "DSW-2026-", APIKey: DSWKey, ByUpdate: true, Now: c.systemsNow})
	c.Sigap = portal.New(portal.Options{Prefix: "SGP-2026-", Username: SigapUsername, Password: SigapPassword, ByUpdate: true, Now: c.systemsNow})
	c.Open311 = open311.New(open311.Options{Now: c.systemsNow, APIKey: Open311Key})
	c.X = x.New(x.Options{Now: c.systemsNow, Token: XToken})
	c.WhatsApp = newWhatsApp(c)
	c.Desk = &callcentre.Sender{Secret: DeskSecret, Client: client}
	c.SMS = &sms.Twilio{AccountSID: TwilioSID, AuthToken: TwilioToken, Number: "+620000000000", Client: client}
	c.Telegram = telegram.New(telegram.Options{Token: TelegramToken, Now: c.systemsNow})
	c.Meta = newPage(c, client)
	c.writeHistory(now())
	return c
}

func (c *City) systemsNow() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.clock.IsZero() {
		return c.clock
	}
	return c.now()
}

// at runs f while the systems' clocks show an instant.
func (c *City) at(instant time.Time, f func()) {
	c.setClock(instant)
	defer c.setClock(time.Time{})
	f()
}

func (c *City) setClock(instant time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock = instant
}

// remember records a complaint that has just become known to the city.
func (c *City) remember(id string, r record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records[id] = &r
}

// correct changes what is true of a complaint.
func (c *City) correct(id string, change func(*record)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c.records[id])
}

// Truth is what is true of each channel now.
func (c *City) Truth() map[string]Figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	truth := map[string]Figures{DSW: {}, Sigap: {}, Open311: {}, Emergency: {}, MayorWhatsApp: {}, DeputyX: {},
		HelpDesk: {}, Lapor: {}, Telegram: {}, SMS: {}, DeputyMeta: {}}
	if c.mail != nil {
		truth[Mail] = Figures{}
	}
	now := c.now()
	for _, r := range c.records {
		f := truth[r.channel]
		f.Received++
		if r.answered {
			f.Answered++
		}
		if !r.answered && !r.closed {
			f.Unanswered++
		}
		if r.isOverdue(now) {
			f.Overdue++
		}
		truth[r.channel] = f
	}
	return truth
}

// Quiet ends the arrival of new complaints; what has begun comes to its end.
func (c *City) Quiet() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet = true
}

func (c *City) isQuiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.quiet
}

func (c *City) nextSerial() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	return c.serial
}

// Control is the http.Handler of GET /truth, GET /lapor.csv, POST /quiet and POST /mail, which has the desk
// receive mail and answers where.
func (c *City) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /truth", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c.Truth()) // the client went away: nobody is left to tell
	})
	mux.HandleFunc("POST /quiet", func(w http.ResponseWriter, _ *http.Request) {
		c.Quiet()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /mail", func(w http.ResponseWriter, _ *http.Request) {
		if c.mail == nil {
			http.Error(w, "The city has no mailbox.", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c.beginMail()) // as above
	})
	mux.HandleFunc("GET /lapor.csv", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		_ = c.writeExport(w) // as above
	})
	return mux
}

// Live lets complaints arrive, be answered and be left alone until the context ends.
func (c *City) Live(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	every(ctx, &all, 3*time.Second, c.isQuiet, func(i int) { c.livePortal(ctx, i, DSW, c.DSW) })
	every(ctx, &all, 5*time.Second, c.isQuiet, func(i int) { c.livePortal(ctx, i, Sigap, c.Sigap) })
	every(ctx, &all, 7*time.Second, c.isQuiet, func(i int) { c.liveOpen311(ctx, i) })
	every(ctx, &all, 4*time.Second, c.isQuiet, func(i int) { c.liveEmergency(ctx, i) })
	all.Go(func() {
		if c.setUpWhatsApp(ctx) {
			every(ctx, &all, 8*time.Second, c.isQuiet, func(i int) { c.liveMayor(ctx, i) })
		}
	})
	every(ctx, &all, 9*time.Second, c.isQuiet, func(i int) { c.liveX(ctx, i) })
	c.liveOthers(ctx, &all)
}

// every starts f with 0, 1, 2 … at each interval, at once for the first time, until the context ends or
// quiet says so.
func every(ctx context.Context, all *sync.WaitGroup, interval time.Duration, quiet func() bool, f func(int)) {
	all.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for i := 0; ctx.Err() == nil && !quiet(); i++ {
			all.Go(func() { f(i) })
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	})
}

// pause waits and reports whether the city is still there.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (c *City) number(prefix string) string {
	return fmt.Sprintf("%s-2026-%06d", prefix, c.nextSerial())
}
