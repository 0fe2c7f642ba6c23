-- Puts new values in place and drops keys whose symbols are gone, if no newer writer has begun.
-- KEYS: 1 maintenance:caches, then pairs (built key, final key), then keys to drop. ARGV: cache, fence, TTL seconds (0 = none), number of pairs
local fence_field = ARGV[1] .. ':fence'
local seen = tonumber(redis.call('HGET', KEYS[1], fence_field) or '0')
if seen > tonumber(ARGV[2]) then return 'FENCED' end
redis.call('HSET', KEYS[1], fence_field, ARGV[2])
local pairs_end = 1 + 2 * tonumber(ARGV[4])
for i = 2, pairs_end, 2 do
  redis.call('RENAME', KEYS[i], KEYS[i + 1])
  if ARGV[3] == '0' then redis.call('PERSIST', KEYS[i + 1]) else redis.call('EXPIRE', KEYS[i + 1], ARGV[3]) end
end
for i = pairs_end + 1, #KEYS do redis.call('UNLINK', KEYS[i]) end
return 'OK'
