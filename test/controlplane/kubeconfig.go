package controlplane

import (
	"context"
	"fmt"
	"os"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig renders a kubeconfig for the API server of config in which the given user, and not the
// one of config, is signed in. Namespace is the default namespace.
func Kubeconfig(config *rest.Config, namespace string, user *clientcmdapi.AuthInfo) ([]byte, error) {
	const name = "local"
	file := clientcmdapi.NewConfig()
	file.Clusters[name] = &clientcmdapi.Cluster{
		Server:                   config.Host,
		CertificateAuthorityData: config.CAData,
		CertificateAuthority:     config.CAFile,
	}
	file.AuthInfos[name] = user
	file.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	file.CurrentContext = name
	content, err := clientcmd.Write(*file)
	if err != nil {
		return nil, fmt.Errorf("rendering a kubeconfig: %w", err)
	}
	return content, nil
}

// WriteServiceAccountKubeconfig writes a kubeconfig (mode 0600) that signs in as the service account,
// so that a process started outside the cluster has exactly that account's RBAC. The service account
// must exist; its token lives for the given time.
func (cp *ControlPlane) WriteServiceAccountKubeconfig(ctx context.Context, namespace, serviceAccount, path string, lifetime time.Duration) error {
	client, err := kubernetes.NewForConfig(cp.config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	seconds := int64(lifetime / time.Second)
	token, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, serviceAccount, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("requesting a token for service account %s/%s: %w", namespace, serviceAccount, err)
	}
	content, err := Kubeconfig(cp.config, namespace, &clientcmdapi.AuthInfo{Token: token.Status.Token})
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig of %s/%s: %w", namespace, serviceAccount, err)
	}
	return nil
}
