"""What the processes need of the machine below them: files, locks, logs, memory, descriptors, and the commands of other processes."""
