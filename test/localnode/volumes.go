package localnode

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/tanggap/tanggap/test/controlplane"
)

const (
	// accessVolume holds the kubeconfig that stands in for the in-cluster configuration. No volume of
	// a Pod can have this name.
	accessVolume      = "api.access"
	accessTokenFile   = "token"
	accessConfigFile  = "kubeconfig"
	accessTokenLife   = 3607 // seconds, as the kubelet asks for
	defaultTokenLife  = 3600 // seconds, the API's default
	defaultVolumeMode = 0o644
)

// podVolumes keeps the volumes of one Pod on this machine. It is used by one goroutine.
type podVolumes struct {
	dir        string // of the Pod
	objects    objects
	claims     *claims
	tokens     *podTokens
	apiServer  *rest.Config
	wantsAPI   func(*corev1.Pod) (bool, error)
	apiAccess  *bool // whether to make the kubeconfig, once that is known
	projected  map[string]*atomicDir
	claimPaths map[string]string // host folder by volume name, once mounted
}

// refresh brings every volume up to date with the objects it is made from.
func (v *podVolumes) refresh(ctx context.Context, facts podFacts) error {
	var errs []error
	for i := range facts.pod.Spec.Volumes {
		volume := &facts.pod.Spec.Volumes[i]
		if err := v.refreshOne(ctx, facts, volume); err != nil {
			errs = append(errs, fmt.Errorf("volume %q: %w", volume.Name, err))
		}
	}
	if err := v.refreshAPIAccess(ctx, facts.pod); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (v *podVolumes) refreshOne(ctx context.Context, facts podFacts, volume *corev1.Volume) error {
	switch {
	case volume.EmptyDir != nil:
		return os.MkdirAll(v.folder(volume.Name), 0o777)
	case volume.PersistentVolumeClaim != nil:
		if v.claimPaths[volume.Name] != "" {
			return nil
		}
		path, err := v.claims.mount(facts.pod.Namespace, volume.PersistentVolumeClaim.ClaimName)
		if err != nil {
			return err
		}
		if v.claimPaths == nil {
			v.claimPaths = map[string]string{}
		}
		v.claimPaths[volume.Name] = path
		return nil
	}
	content, err := v.content(ctx, facts, volume)
	if err != nil {
		return err
	}
	return v.write(volume.Name, content)
}

// content makes the files of a volume that comes from API objects.
func (v *podVolumes) content(ctx context.Context, facts podFacts, volume *corev1.Volume) (payload, error) {
	content := payload{}
	switch {
	case volume.Secret != nil:
		source := volume.Secret
		data, err := v.objects.secret(facts.pod.Namespace, source.SecretName, source.Optional)
		if err != nil {
			return nil, err
		}
		return content, content.addKeys(data, source.Items, isTrue(source.Optional), source.DefaultMode)
	case volume.ConfigMap != nil:
		source := volume.ConfigMap
		data, err := v.objects.configMap(facts.pod.Namespace, source.Name, source.Optional)
		if err != nil {
			return nil, err
		}
		return content, content.addKeys(data, source.Items, isTrue(source.Optional), source.DefaultMode)
	case volume.DownwardAPI != nil:
		return content, content.addFields(facts, volume.DownwardAPI.Items, volume.DownwardAPI.DefaultMode)
	case volume.Projected != nil:
		for i := range volume.Projected.Sources {
			if err := v.addSource(ctx, content, facts, &volume.Projected.Sources[i], volume.Projected.DefaultMode); err != nil {
				return nil, err
			}
		}
		return content, nil
	}
	return nil, errors.New("the local node does not know this kind of volume")
}

func (v *podVolumes) addSource(ctx context.Context, content payload, facts podFacts, source *corev1.VolumeProjection, mode *int32) error {
	switch {
	case source.Secret != nil:
		data, err := v.objects.secret(facts.pod.Namespace, source.Secret.Name, source.Secret.Optional)
		if err != nil {
			return err
		}
		return content.addKeys(data, source.Secret.Items, isTrue(source.Secret.Optional), mode)
	case source.ConfigMap != nil:
		data, err := v.objects.configMap(facts.pod.Namespace, source.ConfigMap.Name, source.ConfigMap.Optional)
		if err != nil {
			return err
		}
		return content.addKeys(data, source.ConfigMap.Items, isTrue(source.ConfigMap.Optional), mode)
	case source.DownwardAPI != nil:
		return content.addFields(facts, source.DownwardAPI.Items, mode)
	case source.ServiceAccountToken != nil:
		kind := tokenKind{audience: source.ServiceAccountToken.Audience, seconds: defaultTokenLife}
		if seconds := source.ServiceAccountToken.ExpirationSeconds; seconds != nil {
			kind.seconds = *seconds
		}
		token, err := v.tokens.get(ctx, facts.pod, kind)
		if err != nil {
			return err
		}
		content[source.ServiceAccountToken.Path] = projectedFile{data: []byte(token), mode: 0o600}
		return nil
	}
	return errors.New("the local node does not know this kind of projection")
}

// refreshAPIAccess writes the kubeconfig of the Pod's service account, if the Pod is to have one. It
// names the token's file, which clients read again by themselves.
func (v *podVolumes) refreshAPIAccess(ctx context.Context, pod *corev1.Pod) error {
	if v.apiAccess == nil {
		wanted, err := v.wantsAPI(pod)
		if err != nil {
			return err
		}
		v.apiAccess = &wanted
	}
	if !*v.apiAccess {
		return nil
	}
	token, err := v.tokens.get(ctx, pod, tokenKind{seconds: accessTokenLife})
	if err != nil {
		return err
	}
	user := &clientcmdapi.AuthInfo{TokenFile: filepath.Join(v.folder(accessVolume), accessTokenFile)}
	config, err := controlplane.Kubeconfig(v.apiServer, pod.Namespace, user)
	if err != nil {
		return err
	}
	return v.write(accessVolume, payload{
		accessTokenFile:  {data: []byte(token), mode: 0o600},
		accessConfigFile: {data: config, mode: 0o600},
	})
}

func (v *podVolumes) write(name string, content payload) error {
	if v.projected == nil {
		v.projected = map[string]*atomicDir{}
	}
	if v.projected[name] == nil {
		v.projected[name] = &atomicDir{path: v.folder(name)}
	}
	_, err := v.projected[name].write(content)
	return err
}

func (v *podVolumes) folder(name string) string { return filepath.Join(v.dir, "volumes", name) }

// mounts lists where a container finds its volumes. The volumes must have been refreshed.
func (v *podVolumes) mounts(container *corev1.Container) ([]mount, error) {
	mounts := make([]mount, 0, len(container.VolumeMounts))
	for _, m := range container.VolumeMounts {
		if m.SubPathExpr != "" {
			return nil, fmt.Errorf("mount %q: the local node does not know subPathExpr", m.MountPath)
		}
		folder := v.folder(m.Name)
		if claim := v.claimPaths[m.Name]; claim != "" {
			folder = claim
		}
		if m.SubPath != "" {
			if !filepath.IsLocal(m.SubPath) {
				return nil, fmt.Errorf("mount %q: subPath %q lies outside the volume", m.MountPath, m.SubPath)
			}
			folder = filepath.Join(folder, m.SubPath)
			if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) && v.projected[m.Name] == nil {
				if err := os.MkdirAll(folder, 0o777); err != nil {
					return nil, fmt.Errorf("mount %q: %w", m.MountPath, err)
				}
			}
		}
		mounts = append(mounts, mount{path: m.MountPath, folder: folder})
	}
	return mounts, nil
}

// addKeys adds all the keys of a Secret or ConfigMap, or just the items.
func (p payload) addKeys(data map[string][]byte, items []corev1.KeyToPath, optional bool, mode *int32) error {
	if len(items) == 0 {
		for key, value := range data {
			p[key] = projectedFile{data: value, mode: modeOf(nil, mode)}
		}
		return nil
	}
	for _, item := range items {
		value, found := data[item.Key]
		switch {
		case found:
			p[filepath.Clean(item.Path)] = projectedFile{data: value, mode: modeOf(item.Mode, mode)}
		case !optional:
			return fmt.Errorf("there is no key %q", item.Key)
		}
	}
	return nil
}

func (p payload) addFields(facts podFacts, items []corev1.DownwardAPIVolumeFile, mode *int32) error {
	for _, item := range items {
		var value string
		var err error
		if item.FieldRef != nil {
			value, err = facts.field(item.FieldRef.FieldPath)
		} else {
			value, err = resourceField(facts.pod.Spec.Containers, "", item.ResourceFieldRef)
		}
		if err != nil {
			return err
		}
		p[filepath.Clean(item.Path)] = projectedFile{data: []byte(value), mode: modeOf(item.Mode, mode)}
	}
	return nil
}

func modeOf(own, common *int32) fs.FileMode {
	switch {
	case own != nil:
		return fs.FileMode(*own)
	case common != nil:
		return fs.FileMode(*common)
	}
	return defaultVolumeMode
}
