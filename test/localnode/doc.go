// Package localnode runs the Pods of a control plane that has no kubelet, no scheduler and no
// kube-controller-manager as processes of this machine, without root. The demo and the end-to-end
// tests run the operator, the ledger and the workers on it.
//
// It does what those components would do, as far as Tanggap needs it: Deployments and StatefulSets
// make Pods and report a status that follows from probes; Pods become processes that are restarted,
// rolled and stopped; volumes, tokens and environment come from the objects that the Pod names and
// follow their changes; objects whose owner is gone are deleted; Service names reach ready Pods.
//
// What stands in for what:
//
//   - An address: each Pod has its own loopback address 127.77.x.y (status.podIP). Processes must
//     listen on that address and not on all of them.
//   - An image: Options.Commands names the program that runs in place of each image.
//   - The file system: there is no mount namespace. Each volume mount is a folder of the node, and the
//     mount path is replaced by that folder wherever it stands as a path in the container's command,
//     arguments and environment. Paths in the content of files are not touched.
//   - The cluster's DNS and network: a proxy (HTTP_PROXY and HTTPS_PROXY) resolves
//     <service>.<namespace>.svc and refuses every host outside the loopback network.
//   - The in-cluster client configuration: KUBECONFIG names a kubeconfig with the token of the Pod's
//     service account, unless automountServiceAccountToken is false.
//
// Not there: NetworkPolicies and resource limits are not enforced. ReplicaSets and ControllerRevisions
// are not made: a Deployment owns its Pods itself. Lifecycle hooks are not run, and kubectl logs, exec
// and port-forward have nothing to talk to (the logs are files, see Node.LogPath). Probes of kind exec
// and grpc and volumes of other kinds than those named in volumes.go are refused in the Pod's status.
//
// The package works on Linux only: it relies on the loopback network 127.0.0.0/8 and on the kernel to
// end the processes with the node.
package localnode
