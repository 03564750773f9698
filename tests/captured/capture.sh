#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copies what our drivers read of this machine's /proc and /sys into a folder: a captured tree for
# tests and for `fieldpost sources --root`. Small text files only; links stay links.
#
#     tests/captured/capture.sh DIRECTORY
#
# Look through the result before you publish it: host name, MAC and serial numbers are in it.
set -eu
out=${1:?"usage: capture.sh DIRECTORY"}
test ! -e "$out" || { echo "$out is there already" >&2; exit 1; }
mkdir -p "$out"

# A file of /proc or /sys: size 0 by stat, so it is read, not copied; what cannot be read is left out.
take() {
  [ -f "$1" ] || return 0
  mkdir -p "$out$(dirname "$1")"
  timeout 2 cat "$1" > "$out$1" 2> /dev/null || rm -f "$out$1"
}

# A folder of sysfs attributes, without its sub-folders.
take_folder() {
  for file in "$1"/*; do
    if [ -L "$file" ]; then
      mkdir -p "$out$1"
      case "${file##*/}" in device | subsystem) ln -sfn "$(readlink "$file")" "$out$file" ;; esac
    else
      take "$file"
    fi
  done
}

# A class: each entry is a link to the device's folder; both are taken.
take_class() {
  for entry in "$1"/*; do
    [ -e "$entry" ] || continue
    mkdir -p "$out$1"
    [ ! -L "$entry" ] || ln -sfn "$(readlink "$entry")" "$out$entry"
    folder=$(readlink -f "$entry")
    mkdir -p "$out$folder"
    take_folder "$folder"
    [ ! -d "$folder/statistics" ] || take_folder "$folder/statistics"
    # Enough of the device's own folder that the link to it leads somewhere; old hwmon drivers also
    # have their attributes there.
    if [ -e "$folder/device" ]; then
      device=$(readlink -f "$folder/device")
      take "$device/uevent"
      case "$1" in */hwmon) take_folder "$device" ;; esac
    fi
  done
}

for file in stat meminfo vmstat loadavg uptime diskstats net/dev sys/fs/file-nr \
  sys/kernel/random/entropy_avail sys/kernel/random/poolsize sys/kernel/ostype sys/kernel/osrelease \
  sys/kernel/version sys/kernel/hostname sys/kernel/domainname sys/kernel/arch \
  pressure/cpu pressure/io pressure/memory pressure/irq; do
  take "/proc/$file"
done
for process in 1 self; do
  mkdir -p "$out/proc/$process"
  cat "/proc/$process/mountinfo" > "$out/proc/$process/mountinfo"
  cat "/proc/$process/mounts" > "$out/proc/$process/mounts"
done
take /etc/os-release
take_class /sys/class/net
take_class /sys/class/hwmon
take_class /sys/class/thermal
for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
  mkdir -p "$out$cpu"
  [ ! -d "$cpu/cpufreq" ] || take_folder "$cpu/cpufreq"
done
for disk in /sys/block/*; do
  number=$(cat "$disk/dev" 2> /dev/null) || continue
  take "/run/udev/data/b$number"
done

# What is a system call and no file: hal/README.md, "Captured trees".
mkdir -p "$out/captured"
date +%s > "$out/captured/time"
uname -m > "$out/captured/machine"
# Field 5 of mountinfo is the mount point; blanks in it stay as "\040", which is not looked up.
cut -d ' ' -f 5 "/proc/1/mountinfo" | sort -u | while read -r place; do
  stat -f -c '%s %b %f %a %c %d' "$place" 2> /dev/null | sed "s|^|$place |" || true
done > "$out/captured/statfs"
