package complaintchannel

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/worker"
)

// hasFiles says that a channel of the worker reads files.
func (w *Worker) hasFiles() bool { return len(claims(w)) > 0 }

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
		read, write := worker.FilesPaths(filesDir, channel.Name)
		mounts = append(mounts, within(mount(claimVolume(channel, &files.Volume), read), &files.Volume))
		if quarantine := files.Quarantine; quarantine != nil {
			mounts = append(mounts, within(mount(claimVolume(channel, quarantine), write).WithReadOnly(false), quarantine))
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
