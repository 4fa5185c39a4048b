package sms

import (
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
)

func TestTheManifestInTheDocumentationOpens(t *testing.T) {
	spec, credentials := channeltest.Manifest(t, "sms.md")
	source, err := open(t, spec.SMS, channeltest.NewClock(monday), credentials)
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Pusher).UsualDelay(); got != 2*time.Minute {
		t.Errorf("the usual delay is %s", got)
	}
}
