# The images' base where no registry can be reached: a Debian that debootstrap has unpacked.
FROM scratch
ADD rootfs.tar /
CMD ["/bin/sh"]
