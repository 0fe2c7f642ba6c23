-- Issues the fence token together with the ownership check. ARGV: group, consumer, id, key
-- -> {token, deliveries}, 'LOST' when not (any more) ours, 'DUPLICATE' when another entry stands for the same work
local consumer, id, key = ARGV[2], ARGV[3], ARGV[4]
local pending = owned(id, consumer)
if not pending then return 'LOST' end
if #redis.call('XRANGE', KEYS[1], id, id) == 0 then
  redis.call('XACK', KEYS[1], GROUP, id)
  return 'LOST'
end
-- Two entries of one work would fence each other out in turn, and neither would ever commit.
local standing = entry_of(key)
if standing and standing ~= id then
  remove(id)
  return 'DUPLICATE'
end
local token = redis.call('INCR', KEYS[6])
if key ~= '' then redis.call('HSET', KEYS[4], key, id) end
renew(id, consumer)
return {token, pending[4]}
