package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TelegramSource reads what a bot receives by the Telegram Bot API: what citizens write to the bot, and both sides
// of the chats of a Telegram Business account that the bot is connected to. It asks by getUpdates, or is
// delivered to where webhook is set.
type TelegramSource struct {
	// url of the API; the default is https://api.telegram.org.
	// +optional
	// +kubebuilder:default="https://api.telegram.org"
	URL HTTPURL `json:"url,omitempty"`
	// botTokenSecretRef names the key with the token that BotFather gave the bot. Nothing else may read
	// the bot's updates.
	// +required
	BotTokenSecretRef SecretKeyReference `json:"botTokenSecretRef,omitzero"`
	// staffGroupID is the id, quoted as a string, of the group in which the staff answer messages of
	// citizens that were forwarded to it; without it no group is read.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^-[1-9][0-9]*$')",message="must be the numeric id of a group, in quotes, which begins with a minus"
	StaffGroupID string `json:"staffGroupID,omitempty"`
	// caseWindow is how long after the last message of either side a person's next message still belongs
	// to the same case. The default is 24h.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('744h')",message="must be between 1m and 744h"
	CaseWindow *metav1.Duration `json:"caseWindow,omitempty"`
	// polling says how often the source is read. Telegram keeps what was not read for 24 hours at most, so
	// that overlap and lookback mean nothing here.
	// +optional
	// +kubebuilder:default={}
	Polling *Polling `json:"polling,omitempty"`
	// webhook has Telegram deliver updates to the worker's Service at /hooks/<name of the channel>, instead of
	// having them asked for; polling.interval means nothing then. Whether there is a webhook is decided by
	// setWebhook and deleteWebhook of the Bot API, which nobody but you calls.
	// +optional
	Webhook *TelegramWebhook `json:"webhook,omitempty"`
	// reply allows answers to be sent through Tanggap, as the bot; without it none is. The ledger must keep
	// handles (spec.privacy.storeHandles), as an answer needs to know the chat.
	// +optional
	Reply *TelegramReply `json:"reply,omitempty"`
}

// TelegramWebhook has Telegram deliver updates.
type TelegramWebhook struct {
	DeliveryLimits `json:",inline"`
	// secretTokenSecretRefs name the keys with the secret_token that setWebhook was given; any may match, so that
	// it can be changed.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	SecretTokenSecretRefs []SecretKeyReference `json:"secretTokenSecretRefs,omitempty"`
	// checkInterval is how often Telegram is asked whether it can deliver. The default is 1m.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="must be between 10s and 24h"
	CheckInterval *metav1.Duration `json:"checkInterval,omitempty"`
}

// TelegramReply allows answers. It has no members: the bot's token is all that is needed.
type TelegramReply struct{}
