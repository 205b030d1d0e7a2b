/** Hosts that can't be joined as they are. */

export interface Finding {
  what: string;
  /** Makes it so on the host. */
  make?: string;
  /** Undoes that. */
  unmake?: string;
  /** Or makes it so in what is sent. */
  state?: (state: string) => string;
  says: RegExp;
  /** Whether it has consequences that are found as well. */
  several?: boolean;
}

/** What is found on some of them: each alone, for some hide others. */
/** Another SSH server, on port 2222. */
const SECOND_SSH_SERVER = {
  make: "systemd-run --quiet --unit=host-test /usr/sbin/sshd -D -p 2222; until ss -Hltn | grep -q :2222; do :; done",
  unmake: "systemctl stop host-test",
};

export const UNUSUAL: Finding[] = [
  ...["ISTIOD.istio-system.svc\\r", "x\\vistiod.Istio-System.svc. # ours", "istiod.istio-system.svc#"].map((names) => ({
    what: `another address for istiod, written as ${JSON.stringify(names)}`,
    make: `printf '192.0.2.1\\t${names}\\n' >>/etc/hosts`,
    unmake: "sed -i /192.0.2.1/d /etc/hosts",
    says: /\/etc\/hosts has another address for istiod\.istio-system\.svc, 192\.0\.2\.1/,
  })),
  {
    what: "a resolver that does not read /etc/hosts",
    make: "cp -p /etc/nsswitch.conf /tmp; sed -i 's/^hosts:.*/hosts: dns/' /etc/nsswitch.conf",
    unmake: "cp -p /tmp/nsswitch.conf /etc; rm /tmp/nsswitch.conf",
    says: /\/etc\/nsswitch\.conf does not let \/etc\/hosts be asked/,
    several: true,
  },
  ...Object.entries({
    "a file": "/etc/hosts",
    "a folder of programs": "/usr/local/bin",
    "where the record goes": "/var/lib",
    "where units go": "/etc/systemd/system",
  }).map(([what, path]) => ({
    what: `${what} that is read-only`,
    make: `mount --bind ${path} ${path}; mount -o remount,bind,ro ${path}`,
    unmake: `umount ${path}`,
    says: new RegExp(`can't write ${path}: read-only file system: mount -o remount,rw ${path}`),
    several: true,
  })),
  {
    what: "a read-only /usr",
    make: "mount --bind /usr /usr; mount -o remount,bind,ro /usr",
    unmake: "umount --lazy /usr",
    says: /can't write \/usr\/local\/bin: read-only file system: mount -o remount,rw \/usr/,
    several: true,
  },
  {
    what: "programs that can't be run where they are installed",
    make: "mount --bind /usr/local /usr/local; mount -o remount,bind,noexec /usr/local",
    unmake: "umount /usr/local",
    says: /nothing can be run from \/usr\/local\/bin, .*: mount -o remount,exec \/usr\/local/,
  },
  ...(
    [
      ["i", "/etc/hosts", "immutable: chattr -i"],
      ["a", "/etc/hosts", "append-only: chattr -a"],
      ["i", "/usr/local/bin", "immutable: chattr -i"],
      ["a", "/etc", "append-only: chattr -a"],
      ["i", "/etc/passwd", "immutable: chattr -i"],
    ] as const
  ).map(([flag, path, reason]) => ({
    what: `${path} with chattr +${flag}`,
    make: `chattr +${flag} ${path}`,
    unmake: `chattr -${flag} ${path}`,
    says: new RegExp(`can't write ${path}: ${reason} ${path}$`, "m"),
  })),
  {
    what: "files that run out before the room does",
    make: "mount -t tmpfs -o nr_inodes=20,mode=755 tmpfs /usr/local/bin",
    unmake: "umount /usr/local/bin",
    says: /\/usr\/local\/bin has room for \d+ more files/,
  },
  ...Object.entries({ "/etc/certs": "/etc/certs", "/var/lib/istio/envoy": "/var/lib/istio" }).map(([path, top]) => ({
    what: `${path} of another user`,
    make: `install -d -m 700 -o www-data ${path}`,
    unmake: `rm -r ${top}`,
    says: new RegExp(`${path}, which becomes the sidecar's, is www-data's`),
  })),
  {
    what: "/etc/certs of another program of root's",
    make: "mkdir /etc/certs; touch /etc/certs/key.pem /etc/certs/smtp.key",
    unmake: "rm -r /etc/certs",
    says: /\/etc\/certs, which becomes the sidecar's, holds what is not Istio's: smtp\.key : move/,
  },
  {
    what: "/etc/certs that leads elsewhere",
    make: "mkdir /srv/certs; ln -s /srv/certs /etc/certs",
    unmake: "rm -r /etc/certs /srv/certs",
    says: /\/etc\/certs is a link to \/srv\/certs/,
  },
  ...Object.entries({
    "a terminal": ["Defaults:root requiretty", /root can't start the sidecar as istio-proxy by sudo, .*have a tty/],
    "another user": ["root ALL=(ALL) !ALL", /root can't start the sidecar as istio-proxy by sudo, .*not allowed/],
    "the environment": [
      "Defaults:root !setenv\nroot ALL=(ALL) NOSETENV: /bin/bash, /usr/bin/bash",
      /not allowed to preserve the environment/,
    ],
  } as const).map(([what, [line, says]]) => ({
    what: `a sudoers file that refuses root ${what}`,
    make: `printf '${line}\\n' >/etc/sudoers.d/zy; chmod 440 /etc/sudoers.d/zy`,
    unmake: "rm /etc/sudoers.d/zy",
    says,
  })),
  {
    what: "a port of another SSH server among the inbound ports",
    ...SECOND_SSH_SERVER,
    state: (state: string) => state.replace("ISTIO_INBOUND_PORTS=8080", "ISTIO_INBOUND_PORTS=8080,2222"),
    says: /inboundPorts takes in port 2222, on which sshd listens for SSH/,
  },
  {
    what: 'such a port that "*" takes in',
    ...SECOND_SSH_SERVER,
    state: (state: string) => state.replace("ISTIO_INBOUND_PORTS=8080", "ISTIO_INBOUND_PORTS=*"),
    says: /inboundPorts takes in port 2222, on which sshd listens for SSH.*list the ports instead/,
  },
  {
    what: "such a port that systemd listens on",
    make: `printf '[Socket]\nListenStream=2223\nAccept=yes\n' >/run/systemd/system/second-ssh.socket
      printf '[Service]\nExecStart=-/usr/sbin/sshd -i\n' >/run/systemd/system/second-ssh@.service
      systemctl daemon-reload; systemctl start second-ssh.socket`,
    unmake: "systemctl stop second-ssh.socket; rm /run/systemd/system/second-ssh*; systemctl daemon-reload",
    state: (state: string) => state.replace("ISTIO_INBOUND_PORTS=8080", "ISTIO_INBOUND_PORTS=8080,2223"),
    says: /inboundPorts takes in port 2223, on which systemd listens for SSH/,
  },
  {
    what: "something that makes /etc/hosts anew at each boot",
    make: "echo 'L+ /etc/hosts - - - - /usr/share/hosts' >/etc/tmpfiles.d/hosts.conf",
    unmake: "rm /etc/tmpfiles.d/hosts.conf",
    says: /systemd-tmpfiles rewrites \/etc\/hosts at each boot, .*\/etc\/tmpfiles\.d\/hosts\.conf/,
  },
];
