package standalone

import (
	"context"
	"fmt"
	"strconv"

	"github.com/tanggap/tanggap/internal/simulator/open311"
	"github.com/tanggap/tanggap/internal/simulator/portal"
	"github.com/tanggap/tanggap/internal/simulator/telegram"
	"github.com/tanggap/tanggap/internal/simulator/x"
)

// Credentials of the simulated systems; the manifests have the same. They open nothing but a simulator.
const (
	portalKey     = "simulated-key-of-the-portal"
	open311Key    = "simulated-key-of-open311"
	xToken        = "simulated-token-of-x"
	xAccount      = "1400000000000000042"
	telegramToken = "123456:simulated-token-of-telegram"
	telegramDesk  = 5150
)

func newPortal(s Setup) *System {
	p := portal.New(portal.Options{APIKey: portalKey, ByUpdate: true, Now: s.Now})
	return &System{
		Handler: p,
		Complain: func(_ context.Context, words string) (string, error) {
			n := s.Serial()
			return p.AddTicket(portal.Report{Title: "Laporan " + strconv.Itoa(n), Text: words, Phone: phone(n), Latitude: -6.39, Longitude: 106.82}), nil
		},
		Answer: func(_ context.Context, id, words string) error { return p.Answer(id, "Admin OPD", words) },
		Close:  func(_ context.Context, id string) error { return p.Resolve(id) },
	}
}

func newOpen311(s Setup) *System {
	server := open311.New(open311.Options{APIKey: open311Key, Now: s.Now})
	return &System{
		Handler: server,
		Complain: func(_ context.Context, words string) (string, error) {
			return server.AddRequest(open311.Request{
				ServiceCode: "001", ServiceName: "Aduan", Description: words, Latitude: -6.4, Longitude: 106.8,
			}), nil
		},
		Answer: func(_ context.Context, id, words string) error {
			server.Answer(id, words)
			return nil
		},
		Close: func(_ context.Context, id string) error {
			server.Close(id, "Selesai dikerjakan.")
			return nil
		},
	}
}

func newX(s Setup) *System {
	server := x.New(x.Options{Token: xToken, Now: s.Now})
	return &System{
		Handler: server,
		Complain: func(_ context.Context, words string) (string, error) {
			author := strconv.Itoa(1_500_000_000_000_000_000 + s.Serial())
			return strconv.FormatUint(server.Add(x.Post{Author: author, Text: "@wakilwalikota " + words, Mentions: []string{xAccount}}), 10), nil
		},
		Answer: func(_ context.Context, id, words string) error {
			post, err := strconv.ParseUint(id, 10, 64)
			if err != nil {
				return errUnknown
			}
			server.Add(x.Post{Author: xAccount, Text: words, ReplyTo: post})
			return nil
		},
	}
}

func newTelegram(s Setup) *System {
	server := telegram.New(telegram.Options{Token: telegramToken, Now: s.Now})
	return &System{
		Handler: server,
		Complain: func(_ context.Context, words string) (string, error) {
			person := int64(700000000 + s.Serial())
			server.Add("business_message", telegram.Business(person, person, words))
			return fmt.Sprint(person), nil
		},
		Answer: func(_ context.Context, id, words string) error {
			person, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				return errUnknown
			}
			server.Add("business_message", telegram.Business(person, telegramDesk, words))
			return nil
		},
	}
}
