-- From here on `bytes` may be deflated (zlib). `digest` is still that of the plain bytes, and so
-- tells which of both they are. No row changes; the version keeps away builds that cannot inflate.
PRAGMA user_version = 2;
