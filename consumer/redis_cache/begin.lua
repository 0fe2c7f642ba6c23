-- Makes this fence the cache's writer, if no newer one has begun. The mark goes: until it is back, the cache may be
-- half of one day and half of another, and nobody may take it for whole.
-- Nothing is written into a Redis that holds another source's data; one that was emptied gets its stamp back first.
-- A fence that is none, or a later one than the counter of all tokens has come to, was written by hand: it stops nobody.
-- KEYS: 1 maintenance:caches, 2 maintenance:source, 3 maintenance:fence. ARGV: cache, fence, whose data it is
local function number(text) return type(text) == 'string' and text:match('^%d+$') and tonumber(text) or 0 end

local held = redis.call('GET', KEYS[2])
if held and held ~= ARGV[3] then return 'FOREIGN ' .. held end
local fence_field = ARGV[1] .. ':fence'
local seen, counted = number(redis.call('HGET', KEYS[1], fence_field)), number(redis.pcall('GET', KEYS[3]))
if seen > tonumber(ARGV[2]) and (counted == 0 or seen <= counted) then return 'FENCED' end
if not held then redis.call('SET', KEYS[2], ARGV[3]) end
redis.call('HSET', KEYS[1], fence_field, ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[1])
return 'OK'
