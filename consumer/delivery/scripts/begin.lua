-- Issues fence tokens together with the ownership checks. ARGV: group, consumer, JSON [[id, key], ...]
-- -> for each {token, deliveries}, 'LOST' when not (any more) ours, 'DUPLICATE' when another entry stands for the work
local consumer = ARGV[2]

local function begin(item)
  local id, key = item[1], item[2]
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
  local token = next_token()
  if key ~= '' and standing ~= id then redis.call('HSET', KEYS[4], key, id) end
  renew(id, consumer)
  return {token, pending[4]}
end

return each(cjson.decode(ARGV[3]), begin)
