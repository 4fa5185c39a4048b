package complaintchannel

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

// filesMount and quarantineMount are where a channel's directories are.
func filesMount(channel *v1alpha1.ComplaintChannel) string {
	return filesDir + "/" + channel.Name + "/files"
}

func quarantineMount(channel *v1alpha1.ComplaintChannel) string {
	return filesDir + "/" + channel.Name + "/quarantine"
}

// fileArguments tell the worker where the directories are.
func fileArguments(w *Worker) []string {
	var arguments []string
	for _, channel := range w.Channels {
		files := channel.Spec.Source.CSVFiles()
		if files == nil {
			continue
		}
		arguments = append(arguments, "--files="+channel.Name+"="+filesMount(channel))
		if files.Quarantine != nil {
			arguments = append(arguments, "--quarantine="+channel.Name+"="+quarantineMount(channel))
		}
	}
	return arguments
}

// claimVolume is the name of the volume of the channel's claim. Two directories of one claim are one
// volume, as a claim that one node may have at a time is not asked for twice.
func claimVolume(channel *v1alpha1.ComplaintChannel, directory *v1alpha1.ClaimDirectory) string {
	if files := channel.Spec.Source.CSVFiles(); directory.ClaimName == files.Volume.ClaimName {
		return "files-" + channel.Name
	}
	return "quarantine-" + channel.Name
}

// claims are the volumes that the channels read files from, and write to what they could not understand.
func claims(w *Worker) []*corev1ac.VolumeApplyConfiguration {
	var volumes []*corev1ac.VolumeApplyConfiguration
	for _, channel := range w.Channels {
		files := channel.Spec.Source.CSVFiles()
		if files == nil {
			continue
		}
		volumes = append(volumes, claim(claimVolume(channel, &files.Volume), &files.Volume))
		if quarantine := files.Quarantine; quarantine != nil && quarantine.ClaimName != files.Volume.ClaimName {
			volumes = append(volumes, claim(claimVolume(channel, quarantine), quarantine))
		}
	}
	return volumes
}

func claim(name string, directory *v1alpha1.ClaimDirectory) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(name).WithPersistentVolumeClaim(
		corev1ac.PersistentVolumeClaimVolumeSource().WithClaimName(directory.ClaimName))
}

// fileMounts are the directories of these volumes: files are never written to.
func fileMounts(w *Worker) []*corev1ac.VolumeMountApplyConfiguration {
	var mounts []*corev1ac.VolumeMountApplyConfiguration
	for _, channel := range w.Channels {
		files := channel.Spec.Source.CSVFiles()
		if files == nil {
			continue
		}
		mounts = append(mounts, within(mount(claimVolume(channel, &files.Volume), filesMount(channel)), &files.Volume))
		if quarantine := files.Quarantine; quarantine != nil {
			mounts = append(mounts, within(mount(claimVolume(channel, quarantine), quarantineMount(channel)).WithReadOnly(false), quarantine))
		}
	}
	return mounts
}

func within(mount *corev1ac.VolumeMountApplyConfiguration, directory *v1alpha1.ClaimDirectory) *corev1ac.VolumeMountApplyConfiguration {
	if directory.SubPath != "" {
		mount.WithSubPath(directory.SubPath)
	}
	return mount
}
