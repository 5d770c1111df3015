import sys, os, json, time
want = json.loads(sys.argv[1])
out = sys.stdout.buffer
STEP = 65536
def say(kind, name, data=b'', at='-'):
    name = name.encode('utf-8', 'replace')
    out.write(b'%s %d %d %s\n' % (kind, len(name), len(data), at.encode()) + name + data)
def ident(stat):
    return '%d:%d' % (stat.st_dev, stat.st_ino)
def opened(path):
    try:
        file = open(path, 'rb', 0)
        return file, os.fstat(file.fileno())
    except OSError:
        return None, None
def aligned(file, at):
    # The first line that begins at or after it; a line longer than a step is taken from its middle.
    if at <= 0:
        return 0
    file.seek(at - 1)
    end = (file.read(STEP) or b'').find(b'\n')
    return at + end if end >= 0 else at
class Log:
    def __init__(self, name, path, scanned):
        self.name, self.path, self.scanned = name, path, scanned
        self.file, self.id, self.at = None, '', 0
    def open(self):
        self.file, stat = opened(self.path)
        if self.file:
            self.id, self.at = ident(stat), 0
        return stat
    def pump(self, most):
        sent = 0
        while self.file and sent < most:
            self.file.seek(self.at)
            data = self.file.read(STEP)
            if not data:
                break
            self.at += len(data)
            sent += len(data)
            say(b'D', self.name, data, self.id + '@%d' % self.at)
        return sent
    def begin(self, most, before):
        stat = self.open()
        if not stat:
            return
        if before:
            if before[0] == self.id and before[1] <= stat.st_size:
                self.at = before[1]
                return
            older, was = opened(self.path + '.1')
            if older and ident(was) == before[0]:
                self.file, self.id, self.at, new = older, before[0], before[1], self.file
                self.pump(1 << 40)
                self.file, self.id, self.at = new, ident(os.fstat(new.fileno())), 0
                say(b'G', self.name, b'its file was rotated; nothing is missing')
                return
            say(b'G', self.name, b'its file was replaced meanwhile: lines may be missing')
        start = max(0, stat.st_size - most)
        if start == 0 and most > stat.st_size:
            older, was = opened(self.path + '.1')
            if older:
                new = (self.file, self.id)
                self.file, self.id = older, ident(was)
                first = max(0, was.st_size - (most - stat.st_size))
                self.at = aligned(older, first)
                if first > 0:
                    say(b'O', self.name)
                self.pump(1 << 40)
                self.file, self.id = new
        elif start > 0:
            say(b'O', self.name)
        self.at = aligned(self.file, start)
    def step(self):
        if not self.file and not self.open():
            return 0
        if want['behind']:
            size = os.fstat(self.file.fileno()).st_size
            if size - self.at > want['behind']:
                new = aligned(self.file, size - 4 * STEP)
                say(b'G', self.name, b'%d bytes left out: they came faster than they could be read' % (new - self.at))
                self.at = new
        sent = self.pump(16 * STEP)
        if sent:
            return sent
        try:
            stat = os.stat(self.path)
        except OSError:
            return 0
        if ident(stat) != self.id:
            # What was written between the last reading and the change.
            if self.pump(16 * STEP):
                return 1
            try:
                well = ident(os.stat(self.path + '.1')) == self.id
                word = b'its file was rotated' if well else b'its file was rotated more than once: lines are missing'
            except OSError:
                word = b'its file was replaced'
            self.file.close()
            if self.open():
                say(b'G', self.name, word)
            return 1
        if stat.st_size < self.at:
            say(b'G', self.name, b'its file was emptied')
            self.at = 0
            return 1
        return 0
logs = {}
def scan(first):
    if not want['match']:
        return
    procs = want['root'] + '/procs'
    try:
        names = sorted(os.listdir(procs))
    except OSError:
        names = []
    for name in names:
        if name.startswith('.') or name in logs:
            continue
        try:
            with open(procs + '/' + name + '/stamp', encoding='utf-8', errors='replace') as file:
                lines = file.read(4096).split('\n')
        except OSError:
            continue
        if all(key + '=' + value in lines for key, value in want['match'].items()):
            logs[name] = log = Log(name, procs + '/' + name + '/log', True)
            if not first:
                say(b'N', name)
                log.begin(1 << 40, want['at'].get(name))
    for name in [name for name, log in logs.items() if log.scanned and name not in names]:
        logs.pop(name).pump(1 << 40)
        say(b'E', name)
try:
    for name, path in want['files'].items():
        logs[name] = Log(name, path, False)
    scan(True)
    for name, log in logs.items():
        log.begin(want['bytes'], want['at'].get(name))
        log.pump(1 << 40)
    say(b'R', '')
    out.flush()
    scanned = time.monotonic()
    while want['follow']:
        if time.monotonic() - scanned > 1:
            scan(False)
            scanned = time.monotonic()
        sent = sum([log.step() for log in logs.values()])
        out.flush()
        if not sent:
            time.sleep(0.15)
except (BrokenPipeError, KeyboardInterrupt):
    os._exit(0)
