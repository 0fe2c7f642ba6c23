-- Makes this fence the cache's writer, if no newer one has begun. The mark goes: until it is back, the cache may be
-- half of one day and half of another, and nobody may take it for whole.
-- KEYS: 1 maintenance:caches. ARGV: cache, fence
local fence_field = ARGV[1] .. ':fence'
local seen = tonumber(redis.call('HGET', KEYS[1], fence_field) or '0')
if seen > tonumber(ARGV[2]) then return 'FENCED' end
redis.call('HSET', KEYS[1], fence_field, ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[1])
return 'OK'
