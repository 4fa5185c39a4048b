// Package standalone runs each simulated system as a server of its own: it speaks the system's documented
// wire format, lets citizens complain and staff answer by a script or step by step, and fails on request.
package standalone

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Kind is a system that can be simulated.
type Kind struct {
	// Name is what it is asked for by: the source type that reads it, or that and a word.
	Name string
	// Short says what it is, in a line.
	Short string
	// Pushes says that it delivers, to Setup.DeliverTo; Serves that a source asks it, at Setup.URL; Exports
	// that it writes files, to Setup.Directory.
	Pushes, Serves, Exports bool

	open func(Setup) *System
}

// Kinds are the systems that can be simulated.
func Kinds() []Kind {
	return []Kind{
		// One line a system.
		{Name: "rest", Short: "a portal in the style of Depok Single Window or Sigap!, read as JSON", Serves: true, open: newPortal},
		{Name: "open311", Short: "an Open311 GeoReport v2 server", Serves: true, open: newOpen311},
		{Name: "x", Short: "the X API v2: mentions of an account, and its replies", Serves: true, open: newX},
		{Name: "telegram", Short: "the Telegram Bot API, with the chats of a business account", Serves: true, open: newTelegram},
		{Name: "whatsapp", Short: "the WhatsApp Business Cloud API, as far as it delivers", Pushes: true, open: newWhatsApp},
		{Name: "meta", Short: "a Facebook Page: what visitors post there, and the Graph API", Pushes: true, Serves: true, open: newMeta},
		{Name: "email", Short: "a mail server, read by IMAP", Serves: true, open: newMail},
		{Name: "sms", Short: "Twilio's messaging: what it delivers, and the list of messages", Pushes: true, Serves: true, open: newSMS},
		{Name: "webhook", Short: "a system that signs its deliveries by Standard Webhooks", Pushes: true, open: newWebhook},
		{Name: "emergency112", Short: "the system of a 112 call centre that delivers incidents", Pushes: true, open: newCallCentre},
		{Name: "emergency112-csv", Short: "the system of a 112 call centre that exports incidents as CSV files", Exports: true, open: newExports},
	}
}

// Find is the kind of a name. The error lists the names.
func Find(name string) (Kind, error) {
	var names []string
	for _, kind := range Kinds() {
		if kind.Name == name {
			return kind, nil
		}
		names = append(names, kind.Name)
	}
	return Kind{}, fmt.Errorf("there is no simulator %q; there are %s", name, strings.Join(names, ", "))
}

// Setup is what a system is made of.
type Setup struct {
	// URL is where the system is reached, DeliverTo where it delivers to, Directory where it writes files.
	URL, DeliverTo, Directory string
	// Client carries deliveries.
	Client *http.Client
	// Now is the system's clock.
	Now func() time.Time
	// Serial counts from 1 on; it makes people and names.
	Serial func() int
}

// System is a simulated system.
type System struct {
	// Handler serves what a source asks by HTTP; nil is nothing.
	Handler http.Handler
	// Serve serves what a source asks in another way until the listener is closed; nil is HTTP.
	Serve func(net.Listener) error
	// Fault lets something go wrong in a system that is not asked by HTTP; nil is none.
	Fault func(Fault)
	// Filled are further names in the manifest and what stands for them, in pairs.
	Filled []string
	// Begin does what somebody does once who sets the system up, such as a handshake; nil is nothing.
	Begin func(context.Context) error
	// Complain lets a citizen complain, and returns what the complaint is called.
	Complain func(ctx context.Context, text string) (id string, err error)
	// Answer lets the city's staff answer.
	Answer func(ctx context.Context, id, text string) error
	// Close ends a complaint; nil where nothing has an end.
	Close func(ctx context.Context, id string) error
}

// errUnknown is the error of a complaint that nobody made.
var errUnknown = errors.New("there is no complaint of this name")

//go:embed manifests/*.yaml
var manifests embed.FS

// Complete says that the manifest is known before the system runs.
func (k *Kind) Complete() bool { return k.Name != "email" }

// Manifest is the manifest of a channel that reads the system, with its Secret.
func (k *Kind) Manifest(namespace, channel, url, deliverTo string) string {
	raw, err := manifests.ReadFile("manifests/" + k.Name + ".yaml")
	if err != nil {
		panic(err) // each kind has one
	}
	return strings.NewReplacer("$(NAMESPACE)", namespace, "$(CHANNEL)", channel, "$(URL)", url, "$(DELIVER_TO)", deliverTo).Replace(string(raw))
}

// text is what a citizen writes who was given no words.
func text(serial int) string {
	texts := [...]string{
		"Banjir setinggi lutut di Jalan Margonda, drainase tersumbat sampah.",
		"Pohon tumbang menutup Jl. Juanda sejak semalam, blm ada yang datang.",
		"Sampah di TPS dekat pasar sudah dua minggu gk diangkut.",
		"Lampu jalan di gang kami padam sebulan.",
		"Jalan berlubang di Sawangan, sudah ada yang jatuh.",
		"Macet parah di Dewi Sartika, lampu merah mati.",
	}
	return texts[serial%len(texts)]
}

// answerText is what the staff write who were given no words.
const answerText = "Petugas kami sudah ke lokasi dan pekerjaan dijadwalkan besok pagi pukul 08.00."

// phone is the number of a person; nobody has one in this range.
func phone(serial int) string { return fmt.Sprintf("+62 000 0000 %04d", serial%10000) }
