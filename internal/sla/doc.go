// Package sla derives the clocks of a case: a pure function of a policy, the set of the case's
// events and an instant. No I/O and no clock of its own.
//
// The rules are those of docs/architecture.md. Where they leave a choice, or their letter would hide a
// complaint or hold one against the city for ever, this package decides so:
//
//   - The earliest Received opens a case; a later one is a further message of the citizen, whoever
//     the actor. Before it there are no clocks. An answer from before it meets a clock at its start.
//   - startsOn: Assigned is the first assignment, so that handing a case on does not buy time.
//   - Repeating a status changes nothing. Yet an official's Resolved is an answer also where the case
//     was Resolved already (by a machine, say), and anybody's ends the wait for a next reply.
//   - Any status in which the city has the case in hand (Open, AwaitingCitizen, AwaitingThirdParty,
//     Reopened) reopens a case that is Resolved, Rejected, Duplicate or Spam. That it was merged only
//     Reopened takes back.
//   - An official's Resolved stops an Acknowledgement clock too: who is told that it is done knows that
//     it arrived, and the clock would be overdue for ever. A machine's stops neither that nor a
//     FirstAnswer: closing is not answering.
//   - A NextReply begins after the first Answered, or the first Resolved that counts as an answer in the
//     rule, and ReplyNotNeeded is heard only from then on.
//   - While a case is cancelled no clock starts. Once that is taken back, one that would have did start
//     with its event, and stood still until then.
//   - A pause that begins at the due instant comes too late; only a working date on whose closing it begins
//     does not count. With dueAt: EndOfDay, once the last working date has closed unpaused, no pause keeps
//     the midnight from coming.
//   - An overrun, as the elapsed time, leaves out what a clock stood still for.
//   - A warning in working time comes at an opening rather than at the closing before. A share of working
//     days is one of the open time from the start until due.
//   - A match that fails on a case, such as one that asks for an attribute which the case does not have,
//     does not match; an acknowledgement.match that fails leaves the answer an answer.
package sla
