package judge

import (
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/csvfile"
	"github.com/tanggap/tanggap/internal/channel/rest"
	"github.com/tanggap/tanggap/internal/channel/webhook"
	"github.com/tanggap/tanggap/internal/field"
)

// Sources makes the function that says what is wrong with the source of a channel and cannot be stated
// in its schema, such as an expression that does not compile. Its error is of field.Errors with paths
// below spec. A type of source without expressions, such as open311, needs no check.
func Sources() (func(*v1alpha1.ComplaintChannel) error, error) {
	restType, err := rest.New()
	if err != nil {
		return nil, err
	}
	webhookType, err := webhook.New()
	if err != nil {
		return nil, err
	}
	csvType, err := csvfile.New()
	if err != nil {
		return nil, err
	}
	return func(channel *v1alpha1.ComplaintChannel) error {
		if zone := channel.Spec.AssumeTimeZone; zone != "" {
			if _, err := time.LoadLocation(zone); err != nil {
				return field.Errorf("assumeTimeZone", "there is no time zone %q", zone)
			}
		}
		switch source := channel.Spec.Source; {
		case source.REST != nil:
			return field.Within("source.rest", restType.Validate(source.REST))
		case source.Webhook != nil:
			return field.Within("source.webhook", webhookType.Validate(source.Webhook))
		case source.CSV != nil:
			return field.Within("source.csv", csvType.Validate(source.CSV))
		}
		return nil
	}, nil
}
