-- Puts new values in place, drops keys whose symbols are gone, sets the mark: only while this fence is the writer's.
-- Of what it puts in place it keeps the fingerprint, by which whoever watches the caches finds what others wrote.
-- Another fence is a newer writer; none at all is a Redis that was emptied since, and with it what was written before.
-- KEYS: 1 maintenance:caches, 2 the cache's fingerprints, then pairs (built key, final key), then keys to drop.
-- ARGV: cache, fence, TTL seconds (0 = none), number of pairs, mark ('' = not yet), a fingerprint a pair ('' = none)
local seen = redis.call('HGET', KEYS[1], ARGV[1] .. ':fence')
if not seen then return 'LOST' end
if tonumber(seen) ~= tonumber(ARGV[2]) then return 'FENCED' end
local pairs_end = 2 + 2 * tonumber(ARGV[4])
for i = 3, pairs_end, 2 do
  redis.call('RENAME', KEYS[i], KEYS[i + 1])
  if ARGV[3] == '0' then redis.call('PERSIST', KEYS[i + 1]) else redis.call('EXPIRE', KEYS[i + 1], ARGV[3]) end
  local fingerprint = ARGV[5 + (i - 1) / 2]
  if fingerprint ~= '' then redis.call('HSET', KEYS[2], KEYS[i + 1], fingerprint) end
end
for i = pairs_end + 1, #KEYS do
  redis.call('UNLINK', KEYS[i])
  redis.call('HDEL', KEYS[2], KEYS[i])
end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[5]) end
return 'OK'
