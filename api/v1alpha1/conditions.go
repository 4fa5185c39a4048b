package v1alpha1

// Types of conditions.
const (
	// ConditionAccepted (all kinds) says whether the specification is valid and everything it refers to exists.
	// Only a new specification, or the appearance of what is missing, mends it.
	ConditionAccepted = "Accepted"
	// ConditionReady (all kinds) is Accepted and WorkerAvailable on a channel; Accepted and LedgerAvailable on a
	// ledger whose objects, key and policy nobody refuses or misses, and whose time goes on; and Accepted with the policy taken
	// over by every ledger concerned elsewhere. Run-time trouble of a source never changes it.
	ConditionReady = "Ready"
	// ConditionWorkerAvailable (ComplaintChannel) is the availability of the worker's Deployment.
	ConditionWorkerAvailable = "WorkerAvailable"
	// ConditionSourceConnected (ComplaintChannel) is what the worker reports of the source: credentials
	// work and the last poll or delivery succeeded. Its reason is one of the ledger API's reasons. Of several
	// workers one that is at fault is shown, unless it got bad deliveries and another one had a good one within
	// ten minutes.
	ConditionSourceConnected = "SourceConnected"
	// ConditionUnauthenticated (ComplaintChannel) is True while a webhook's `verification.type` is None.
	ConditionUnauthenticated = "Unauthenticated"
	// ConditionLedgerAvailable (ComplaintLedger) says whether the operator can read the ledger's summary.
	ConditionLedgerAvailable = "LedgerAvailable"
)

// Reasons of ConditionAccepted.
const (
	// ReasonAccepted: the specification is valid and its references resolve.
	ReasonAccepted = "Accepted"
	// ReasonInvalidSpec: the specification breaks a rule that no schema can state, such as one that names a
	// Secret with the keys of a ledger; the message names the field.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonInvalidExpression: a CEL expression does not compile; the message gives line and column.
	ReasonInvalidExpression = "InvalidExpression"
	// ReasonReferenceNotFound: an object, a Secret or a key of one that the specification names does not exist.
	ReasonReferenceNotFound = "ReferenceNotFound"
	// ReasonReferenceNotAccepted: a referenced object exists and is not accepted itself.
	ReasonReferenceNotAccepted = "ReferenceNotAccepted"
	// ReasonPending: the operator has not judged this generation yet, or an internal error kept it from doing so.
	ReasonPending = "Pending"
)

// Reasons of the other conditions.
const (
	// ReasonReady: everything the condition sums up is true.
	ReasonReady = "Ready"
	// ReasonNotAccepted: Accepted is not True.
	ReasonNotAccepted = "NotAccepted"
	// ReasonDeploymentAvailable: the worker's Deployment has the replicas it needs.
	ReasonDeploymentAvailable = "DeploymentAvailable"
	// ReasonDeploymentUnavailable: the worker's Deployment has too few ready replicas; one that could take no
	// delivery, as its Secret does not hold what it should, is not ready, and replaces none that is.
	ReasonDeploymentUnavailable = "DeploymentUnavailable"
	// ReasonWorkerRefused: the API server does not take an object of the worker, such as a request above its
	// limit, one whose name is taken by somebody else's object, or one that a quota or an admission policy
	// forbids; the message says which.
	ReasonWorkerRefused = "WorkerRefused"
	// ReasonLedgerAvailable: the ledger answers the operator.
	ReasonLedgerAvailable = "LedgerAvailable"
	// ReasonLedgerUnavailable: the ledger does not answer the operator, so nothing is known of what it
	// holds; or a worker waits for the ledger's certificates.
	ReasonLedgerUnavailable = "LedgerUnavailable"
	// ReasonLedgerRefused: the API server does not take an object of the ledger; the message says which. A
	// ledger that runs goes on, and is read.
	ReasonLedgerRefused = "LedgerRefused"
	// ReasonPolicyRefused: the ledger does not take the policy; the message is the ledger's.
	ReasonPolicyRefused = "PolicyRefused"
	// ReasonPseudonymKeyMissing: the key of the reporters' pseudonyms is gone, and nobody but a person can
	// decide to begin anew.
	ReasonPseudonymKeyMissing = "PseudonymKeyMissing"
	// ReasonTimeStandsStill: the ledger has judged at an instant that its clock is more than five minutes from, so that nothing
	// becomes due until it is there: the clock is behind, or was ahead. What comes in is stored.
	ReasonTimeStandsStill = "TimeStandsStill"
	// ReasonPolicyPending: a ledger has not taken the current policy over yet.
	ReasonPolicyPending = "PolicyPending"
	// ReasonSuspended: `spec.suspend` is set, so no worker is meant to run.
	ReasonSuspended = "Suspended"
	// ReasonNotReported: no worker has reported yet, or not for two minutes.
	ReasonNotReported = "NotReported"
	// ReasonVerificationDisabled: anyone who can reach the endpoint can send complaints.
	ReasonVerificationDisabled = "VerificationDisabled"
	// ReasonVerificationEnabled: every delivery's sender is verified.
	ReasonVerificationEnabled = "VerificationEnabled"
)
